import { html } from 'htm/preact';
import { percent, quantity } from './format.js';
import { select, selected, trends } from './store.js';

function Row({ row: { series, trend }, up }) {
  const sure = up ? trend.p_rise : 1 - trend.p_rise;
  return html`
    <li>
      <button type="button" class="series" aria-pressed=${series === selected.value} onClick=${() => select(series)}>
        <span class="name">${series}</span>
        <span class="p">${up ? '▲' : '▼'} ${percent(sure)}</span>
        <span class="note">${quantity(trend.last)} last ${trend.horizon}, ${quantity(trend.expected)} expected</span>
      </button>
    </li>`;
}

function Column({ title, rows, up, empty }) {
  return html`
    <div>
      <h3>${title}</h3>
      ${rows.length
        ? html`<ul id=${up ? 'rising' : 'fading'}>${rows.map((row) => html`<${Row} key=${row.series} row=${row} up=${up} />`)}</ul>`
        : html`<p class="empty">${empty}</p>`}
    </div>`;
}

/** Series whose next horizon is likeliest to sell more, and less, than the last one. */
export function TrendList() {
  const { rising, fading } = trends.value;
  return html`
    <section class="card trends" aria-label="Trends">
      <h2>Trends</h2>
      <div class="pair">
        <${Column} title="Rising" rows=${rising} up=${true} empty="None is likely to rise (at 75 %)." />
        <${Column} title="Fading" rows=${fading} up=${false} empty="None is likely to fall (at 75 %)." />
      </div>
      <p class="hint">How likely the next horizon sells more, or less, than the last one. All of them: <a href="/v1/trends">/v1/trends</a></p>
    </section>`;
}
