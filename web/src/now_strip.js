import { html } from 'htm/preact';
import { count, moment, percent, secondsOf } from './format.js';
import { engineSilent, status } from './store.js';

function Tile({ name, value, note, tone = '' }) {
  return html`<div class=${`tile ${tone}`}><dt>${name}</dt><dd><strong>${value}</strong>${note && html`<span>${note}</span>`}</dd></div>`;
}

function accuracy(figures) {
  const { wql, wql_seasonal_naive: naive } = figures;
  if (wql == null) return { value: '–', note: 'scored when forecasts mature' };
  if (naive == null || naive <= 0) return { value: wql.toFixed(3), note: 'lower is better' };
  const gain = 1 - wql / naive;
  return {
    value: wql.toFixed(3),
    note: `seasonal naive ${naive.toFixed(3)}: ${Math.abs(gain * 100).toFixed(0)} % ${gain >= 0 ? 'better' : 'worse'}`,
    tone: gain >= 0 ? 'good' : 'warn',
  };
}

/** How the instance is doing, in eight numbers. */
export function NowStrip() {
  const now = status.value;
  const figures = now?.figures ?? {};
  const coverage = figures.coverage_80;
  const firing = now?.alerts_firing;
  const odd = (now?.dead_lettered ?? 0) + (now?.too_late ?? 0);
  return html`
    <section aria-label="Now">
      <dl class="strip" id="strip">
        <${Tile} name="Events a second" value=${count(now?.events_per_second)} note=${engineSilent() ? 'the engine is silent' : ''} tone=${engineSilent() ? 'warn' : ''} />
        <${Tile} name="Events" value=${count(now?.events_accepted)} note=${odd ? `${count(odd)} late or rejected` : 'all accepted'} />
        <${Tile} name="Series" value=${count(now?.series)} />
        <${Tile} name="Forecasts" value=${count(now?.forecasts)} />
        <${Tile} name="Alerts firing" value=${count(firing)} note=${now ? `${count(now.alerts)} so far` : ''} tone=${firing ? 'warn' : ''} />
        <${Tile} name="Event time" value=${now?.watermark ? moment(secondsOf(now.watermark)) : '–'} note="all before is in" tone="date" />
        <${Tile} name="Loss (WQL)" ...${accuracy(figures)} />
        <${Tile} name="80 % band holds" value=${percent(coverage, 1)} note=${coverage == null ? 'aim: 80 %' : 'of outcomes, aim: 80 %'}
          tone=${coverage == null ? '' : Math.abs(coverage - 0.8) <= 0.05 ? 'good' : 'warn'} />
      </dl>
    </section>`;
}
