import { useSignal } from '@preact/signals';
import { html } from 'htm/preact';
import { useMemo } from 'preact/hooks';
import { alertMarks, columnsOf, kBands, nowOf, openOf } from './chart_data.js';
import { FanChart } from './fan_chart.js';
import { moment, quantity, secondsOf } from './format.js';
import { alertsOfSelected, cutoff, detail, problem, selected, shown, theme, writeAddress } from './store.js';

const kTableRows = 45;

function Legend() {
  return html`
    <ul class="legend" aria-label="What is drawn">
      <li><i class="key actual"></i>actual</li>
      <li><i class="key median"></i>median forecast</li>
      ${[...kBands].reverse().map((band) => html`<li key=${band.name}><i class=${`key band-${parseInt(band.name, 10)}`}></i>${band.name} band</li>`)}
      <li><i class="key open"></i>open bucket</li>
      <li><i class="key alert" aria-hidden="true">▲</i>alert</li>
    </ul>`;
}

// One line of numbers: what is under the pointer, else the newest step.
function readout(columns, index, open) {
  let at = index;
  if (at == null) {
    const first = columns[2].findIndex((value) => value != null);
    if (first < 0) return columns[0].length ? `last closed bucket: ${quantity(columns[1].at(-1))}` : '';
    at = columns[1][first] == null ? first : columns[1].findLastIndex((value) => value != null);
  }
  const parts = [moment(columns[0][at])];
  if (columns[1][at] != null) parts.push(`actual ${quantity(columns[1][at])}`);
  else if (open && open.t === columns[0][at]) parts.push(`so far ${quantity(open.value)}`);
  if (columns[2][at] != null) {
    parts.push(`median ${quantity(columns[2][at])}`);
    parts.push(`80 % from ${quantity(columns[5][at])} to ${quantity(columns[6][at])}`);
  }
  return parts.join(' · ');
}

function CutoffSlider({ forecasts, forecast }) {
  if (forecasts.length < 2) return null;
  const index = forecasts.indexOf(forecast);
  const newest = index === forecasts.length - 1;
  const choose = (i) => {
    cutoff.value = i >= forecasts.length - 1 ? null : forecasts[i].cutoff;
    writeAddress();
  };
  const words = newest ? 'newest' : `${forecasts.length - 1 - index} back`;
  return html`
    <div class="cutoff">
      <label for="cutoff">Forecast made at</label>
      <input id="cutoff" type="range" min="0" max=${forecasts.length - 1} step="1" value=${index}
        aria-valuetext=${`${moment(secondsOf(forecast.cutoff))}, ${words}`} onInput=${(event) => choose(Number(event.currentTarget.value))} />
      <output for="cutoff" id="cutoff-words">${moment(secondsOf(forecast.cutoff))} (${words})</output>
      <button type="button" class="quiet" disabled=${newest} onClick=${() => choose(forecasts.length - 1)}>Back to live</button>
    </div>`;
}

function NumberTable({ columns }) {
  const rows = columns[0].map((t, i) => i).slice(-kTableRows).reverse();
  return html`
    <details class="numbers-table">
      <summary>The numbers behind the chart</summary>
      <div class="scroll" tabindex="0" role="region" aria-label="Numbers behind the chart">
        <table>
          <thead><tr><th scope="col">Bucket</th><th scope="col">Actual</th><th scope="col">Median</th><th scope="col">50 % band</th><th scope="col">80 % band</th><th scope="col">95 % band</th></tr></thead>
          <tbody>${rows.map((i) => html`
            <tr key=${columns[0][i]}>
              <th scope="row">${moment(columns[0][i])}</th><td>${quantity(columns[1][i])}</td><td>${quantity(columns[2][i])}</td>
              ${[7, 5, 3].map((c) => html`<td>${columns[c][i] == null ? '–' : `${quantity(columns[c][i])} to ${quantity(columns[c + 1][i])}`}</td>`)}
            </tr>`)}</tbody>
        </table>
      </div>
    </details>`;
}

function emptyWords() {
  if (problem.value) return problem.value;
  if (!selected.value) return 'No series yet. It begins with the first order: start “tidecast demo”, write to the orders topic, or POST to /v1/events/orders.';
  return `Nothing of ${selected.value} has been published yet. Its first bucket is still open.`;
}

/** The chosen series: fan chart, slider over past cutoffs, numbers. */
export function ForecastPanel() {
  const hovered = useSignal(null);
  const now = detail.value;
  const forecast = shown.value;
  const columns = useMemo(() => columnsOf(now, forecast), [now, forecast]);
  const marks = useMemo(() => alertMarks(now, alertsOfSelected.value), [now, alertsOfSelected.value]);
  const drawn = columns[0].length > 0;
  const open = useMemo(() => openOf(now), [now]);
  return html`
    <section class="card forecast" aria-label="Forecast">
      <div class="head">
        <h2 id="chosen">${selected.value || 'No series'}</h2>
        <${Legend} />
      </div>
      <p class="readout" id="readout">${drawn ? readout(columns, hovered.value, open) : ''}</p>
      ${drawn
        ? html`
          <${FanChart} columns=${columns} open=${open} now=${nowOf(now)} marks=${marks} theme=${theme.value}
            onHover=${(index) => { hovered.value = index; }}
            label=${`Actual values and forecast of ${selected.value}; the numbers are in the table below`} />
          ${forecast ? html`<${CutoffSlider} forecasts=${now.forecasts} forecast=${forecast} />`
            : html`<p class="hint">Warming up: ${now.actuals.length} closed buckets so far; the first forecast comes when there is enough to learn from.</p>`}
          <${NumberTable} columns=${columns} />`
        : html`<p class="empty tall" id="empty">${emptyWords()}</p>`}
    </section>`;
}
