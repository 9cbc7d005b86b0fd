import { html } from 'htm/preact';
import { quantity } from './format.js';
import { busiest, found, movers, search, select, selected, setSearch } from './store.js';

function focusSibling(event) {
  const step = event.key === 'ArrowDown' ? 1 : event.key === 'ArrowUp' ? -1 : 0;
  if (!step) return;
  const stops = [...event.currentTarget.querySelectorAll('input, li button')];
  const next = stops[stops.indexOf(document.activeElement) + step];
  if (next) {
    next.focus();
    event.preventDefault();
  }
}

function Row({ row, widest }) {
  const surprise = row.surprise;
  const z = surprise?.z;
  return html`
    <li>
      <button type="button" class="series" aria-pressed=${row.series === selected.value} onClick=${() => select(row.series)}>
        <span class="name">${row.series}</span>
        ${surprise
          ? html`
            <span class="z ${z >= 0 ? 'up' : 'down'}">${z >= 0 ? '▲' : '▼'} ${Math.abs(z).toFixed(1)} σ</span>
            <span class="note">${quantity(surprise.y)} seen, ${quantity(surprise.expected)} expected</span>
            <meter class="bar" min="0" max=${widest} value=${Math.abs(z)} aria-label=${`${Math.abs(z).toFixed(1)} standard deviations`}></meter>`
          : html`<span class="note">${row.y == null ? 'no closed bucket yet' : `${quantity(row.y)} last`}</span>`}
      </button>
    </li>`;
}

/** Search, and below it the biggest movers (or, before there are any, the busiest series). */
export function SeriesList() {
  const searching = found.value != null;
  const rows = searching ? found.value : movers.value.length ? movers.value : busiest.value;
  const title = searching ? 'Found' : movers.value.length ? 'Biggest movers' : 'Busiest series';
  const widest = Math.max(1, ...rows.map((row) => Math.abs(row.surprise?.z ?? 0)));
  return html`
    <aside class="card side" aria-label="Series" onKeyDown=${focusSibling}>
      <label class="search">
        <span>Find a series</span>
        <input id="search" type="search" placeholder="SKU or part of it" autocomplete="off" value=${search.value}
          onInput=${(event) => setSearch(event.currentTarget.value)}
          onKeyDown=${(event) => { if (event.key === 'Enter' && found.value?.length) select(found.value[0].series); }} />
      </label>
      <h2>${title}</h2>
      ${rows.length
        ? html`<ul id="series">${rows.map((row) => html`<${Row} key=${row.series} row=${row} widest=${widest} />`)}</ul>`
        : html`<p class="empty">${searching
            ? html`No series has “${search.value}” in its name. Only the busiest ones are kept here; the topic of forecasts has all.`
            : html`No series yet. Send an order: <code>curl -H 'content-type: application/json' -d @order.json ${location.origin}/v1/events/orders</code>`}</p>`}
      ${!searching && rows.length > 0 && html`<p class="hint">How far the last closed bucket was from its forecast, in standard deviations.</p>`}
    </aside>`;
}
