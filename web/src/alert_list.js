import { html } from 'htm/preact';
import { bucketOf, expectedOf, isUpward } from './chart_data.js';
import { moment, quantity } from './format.js';
import { alerts, select, selected } from './store.js';

const kShown = 40;

/** What the expectation was made of, the parts that matter: "level 40, season +12, promotion +80". */
function why({ explanation, expected }) {
  if (!Number.isFinite(explanation?.level)) return '';
  const least = .05 * Math.max(1, Math.abs(expected));
  const { recent, season, known, net = 0 } = explanation;
  const added = [['recent', recent], ['season', season], ...Object.entries(known), ['net', net]]
    .filter(([, part]) => Math.abs(part) >= least)
    .map(([name, part]) => `, ${name} ${part < 0 ? '−' : '+'}${quantity(Math.abs(part))}`);
  return ` = level ${quantity(explanation.level)}${added.join('')}`;
}

function Row({ alert }) {
  const up = isUpward(alert);
  const { mean, low, high } = expectedOf(alert);
  const firing = alert.status !== 'resolved';
  const ratio = alert.effect?.ratio;
  return html`
    <li class=${firing ? 'firing' : 'resolved'}>
      <button type="button" onClick=${() => select(alert.series)} aria-pressed=${alert.series === selected.value}>
        <span class="sign ${up ? 'up' : 'down'}" aria-hidden="true">${up ? '▲' : '▼'}</span>
        <span class="what"><strong>${alert.series}</strong> ${up ? 'above' : 'below'} its forecast</span>
        <span class="numbers">observed <b>${quantity(alert.observed)}</b>, expected <b>${quantity(mean)}</b>${why(alert)}${low == null || high == null ? '' : ` (80 %: ${quantity(low)} to ${quantity(high)})`}</span>
        <span class="ratio">${Number.isFinite(ratio) ? `× ${ratio >= 10 ? ratio.toFixed(0) : ratio.toFixed(1)}` : ''}</span>
        <span class="when">${moment(bucketOf(alert))}</span>
        <span class="status">${firing ? alert.labels?.severity ?? 'firing' : 'resolved'}</span>
      </button>
    </li>`;
}

/** Alerts, newest first; a click shows the series. */
export function AlertList() {
  const rows = alerts.value.slice(0, kShown);
  return html`
    <section class="card alerts" aria-label="Alerts">
      <h2>Alerts</h2>
      ${rows.length
        ? html`<ul id="alerts">${rows.map((alert) => html`<${Row} key=${alert.id} alert=${alert} />`)}</ul>`
        : html`<p class="empty">No alerts. One fires when a closed bucket is far outside its forecast, by likelihood and by size; <code>alerts:</code> in the config sets how far.</p>`}
    </section>`;
}
