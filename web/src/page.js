import { effect } from '@preact/signals';
import { html } from 'htm/preact';
import { AlertList } from './alert_list.js';
import { ForecastPanel } from './forecast_panel.js';
import { clock } from './format.js';
import { NowStrip } from './now_strip.js';
import { SeriesList } from './series_list.js';
import { TrendList } from './trend_list.js';
import { staleSince, status, theme, writeAddress } from './store.js';

effect(() => { document.documentElement.dataset.theme = theme.value; });

const kStateWords = {
  starting: 'starting', restoring: 'restoring state', running: 'live', draining: 'finishing', finished: 'finished', waiting: 'waiting for the brokers',
};

function toggleTheme() {
  const dark = theme.value ? theme.value === 'dark' : matchMedia('(prefers-color-scheme: dark)').matches;
  theme.value = dark ? 'light' : 'dark';
  writeAddress();
}

function State() {
  if (staleSince.value != null) {
    return html`<p class="state stale" role="status" id="state">Stale since ${clock(staleSince.value)}</p>`;
  }
  const state = status.value?.state ?? 'connecting';
  return html`<p class=${`state ${state}`} role="status" id="state">${kStateWords[state] ?? state}</p>`;
}

export function Page() {
  return html`
    <header class="top">
      <h1><svg viewBox="0 0 32 32" aria-hidden="true"><path class="wave" d="M3 20c5 0 6-9 10.5-9S18 17 21 17" /><path class="fan" d="M20.500 17L30 7v19z" /></svg>Tidecast</h1>
      <${State} />
      <span class="grow"></span>
      <a href="/api/openapi.json">API</a>
      <a href="/metrics">Metrics</a>
      <button type="button" class="quiet" onClick=${toggleTheme}>Light or dark</button>
    </header>
    <main>
      <${NowStrip} />
      <div class="columns">
        <div class="wide">
          <${ForecastPanel} />
          <${TrendList} />
          <${AlertList} />
        </div>
        <${SeriesList} />
      </div>
    </main>`;
}
