// What the page knows: signals, filled by a few GETs and then by one event stream.
import { batch, computed, signal } from '@preact/signals';
import { secondsOf } from './format.js';

const kHistory = 120;
const kPast = 21;
const kAlerts = 200;
const kTrends = 5;
const kStaleMs = 6000;
const kEngineSilentMs = 15000;

export const status = signal(null);
export const statusHeardAt = signal(0);
export const alerts = signal([]);
export const movers = signal([]);
export const busiest = signal([]);
export const trends = signal({ rising: [], fading: [] });
export const search = signal('');
export const found = signal(null);        // rows of a search, null when there is no search
export const selected = signal('');
export const detail = signal(null);       // {actuals, forecasts (oldest first), open} of the selected series
export const cutoff = signal(null);       // cutoff of the forecast shown; null: the newest
export const problem = signal('');
export const staleSince = signal(null);   // milliseconds, null while fresh
export const theme = signal('');          // '', 'light' or 'dark'

/** The forecast that is drawn. */
export const shown = computed(() => {
  const all = detail.value?.forecasts ?? [];
  if (cutoff.value != null) {
    const match = all.find((forecast) => forecast.cutoff === cutoff.value);
    if (match) return match;
  }
  return all.at(-1) ?? null;
});

export const alertsOfSelected = computed(() => alerts.value.filter((alert) => alert.series === selected.value));

let stream = null;
let heardAt = Date.now();
let loading = 0;

async function get(path) {
  const reply = await fetch(path, { headers: { accept: 'application/json' } });
  const body = await reply.json();
  if (!reply.ok) throw new Error([body.detail, body.remedy].filter(Boolean).join(': '));
  return body;
}

// --- the address bar keeps what a person has chosen ------------------------------------------------------------------

function readAddress() {
  const query = new URLSearchParams(location.search);
  selected.value = query.get('series') ?? '';
  cutoff.value = query.get('cutoff');
  search.value = query.get('search') ?? '';
  theme.value = query.get('theme') ?? '';
}

export function writeAddress() {
  const query = new URLSearchParams();
  for (const [name, value] of [['series', selected.value], ['cutoff', cutoff.value], ['search', search.value], ['theme', theme.value]]) {
    if (value) query.set(name, value);
  }
  const text = query.toString();
  history.replaceState(null, '', text ? `?${text}` : location.pathname);
}

// --- loading ---------------------------------------------------------------------------------------------------------

function mergeAlert(alert) {
  const episode = alert.id.slice(0, alert.id.lastIndexOf('/'));
  const rest = alerts.value.filter((other) => other.id.slice(0, other.id.lastIndexOf('/')) !== episode);
  alerts.value = [alert, ...rest].slice(0, kAlerts);
}

async function loadDetail(series) {
  const ticket = ++loading;
  try {
    const body = await get(`/v1/forecasts/${encodeURIComponent(series)}?history=${kHistory}&past=${kPast}`);
    if (ticket !== loading) return;
    batch(() => {
      problem.value = '';
      detail.value = {
        series,
        actuals: body.actuals.map((row) => ({ ...row, t: secondsOf(row.ds) })),
        forecasts: [...body.past, ...(body.forecast ? [body.forecast] : [])],
        open: body.open && { t: secondsOf(body.open.start), value: body.open.value },
      };
    });
  } catch (error) {
    if (ticket !== loading) return;
    batch(() => {
      detail.value = { series, actuals: [], forecasts: [], open: null };
      problem.value = error.message;
    });
  }
}

export async function select(series, keepCutoff = false) {
  if (!series) return;
  batch(() => {
    selected.value = series;
    if (!keepCutoff) cutoff.value = null;
  });
  writeAddress();
  listen();
  await loadDetail(series);
}

let searchTimer = 0;
export function setSearch(text) {
  search.value = text;
  writeAddress();
  clearTimeout(searchTimer);
  if (!text) {
    found.value = null;
    return;
  }
  searchTimer = setTimeout(async () => {
    try {
      const body = await get(`/v1/series?limit=30&search=${encodeURIComponent(text)}`);
      if (search.value === text) found.value = body.items;
    } catch (error) {
      problem.value = error.message;
    }
  }, 120);
}

async function loadAll() {
  const [now, moving, busy, raised, rising, fading] = await Promise.all([
    get('/v1/status'), get('/v1/series?sort=movers&limit=12'), get('/v1/series?limit=12'), get(`/v1/alerts?limit=${kAlerts}`),
    get(`/v1/trends?phase=rising&limit=${kTrends}`), get(`/v1/trends?phase=fading&limit=${kTrends}`),
  ]);
  batch(() => {
    status.value = now;
    statusHeardAt.value = Date.now();
    movers.value = moving.items;
    busiest.value = busy.items;
    alerts.value = raised.items;
    trends.value = { rising: rising.items, fading: fading.items };
  });
}

// The first series to show: the one of the address, else the busiest one that has a forecast.
async function chooseFirst() {
  if (selected.value) return;
  const body = await get('/v1/series?limit=12');
  busiest.value = body.items;
  const first = body.items.find((row) => row.forecast) ?? body.items[0];
  if (first && !selected.value) await select(first.series);
}

// --- the stream ------------------------------------------------------------------------------------------------------

const handlers = {
  status(data) {
    batch(() => {
      status.value = data;
      statusHeardAt.value = Date.now();
    });
    if (!selected.value && data.series > 0) chooseFirst().catch(() => {});
  },
  movers(data) { movers.value = data.items; },
  trends(data) { trends.value = { rising: data.rising.items.slice(0, kTrends), fading: data.fading.items.slice(0, kTrends) }; },
  alert(data) { mergeAlert(data); },
  forecast({ series, forecast }) {
    const now = detail.value;
    if (!now || now.series !== series) return;
    const others = now.forecasts.filter((other) => other.cutoff !== forecast.cutoff);
    detail.value = { ...now, forecasts: [...others, forecast].slice(-kPast - 1) };
  },
  bucket({ series, bucket }) {
    const now = detail.value;
    if (!now || now.series !== series) return;
    const row = { ...bucket, t: secondsOf(bucket.ds) };
    const others = now.actuals.filter((other) => other.ds !== row.ds);
    const actuals = [...others, row].sort((a, b) => a.t - b.t).slice(-kHistory);
    detail.value = { ...now, actuals, open: now.open && now.open.t <= row.t ? null : now.open };
  },
  open({ series, start, value }) {
    const now = detail.value;
    if (now && now.series === series) detail.value = { ...now, open: { t: secondsOf(start), value } };
  },
  heartbeat() {},
  reset() { reload(); },
};

function heard() {
  heardAt = Date.now();
  if (staleSince.value != null) {
    staleSince.value = null;
    reload();
  }
}

function listen() {
  stream?.close();
  stream = new EventSource(selected.value ? `/v1/stream?series=${encodeURIComponent(selected.value)}` : '/v1/stream');
  for (const [type, handle] of Object.entries(handlers)) {
    stream.addEventListener(type, (event) => {
      if (event.data === undefined) return;  // the browser's own "open" has the name of ours
      heard();
      handle(JSON.parse(event.data));
    });
  }
}

function reload() {
  loadAll().catch(() => {});
  if (selected.value) loadDetail(selected.value);
}

// The browser gives up on a stream for good when the server refuses it: then try anew.
function watch() {
  if (Date.now() - heardAt > kStaleMs) {
    staleSince.value ??= heardAt;
    if (stream?.readyState === EventSource.CLOSED) listen();
  }
}

/** Whether the stream is fine but the engine behind it has said nothing for long. */
export function engineSilent() {
  const now = status.value;
  return now != null && now.state === 'running' && now.age_ms > kEngineSilentMs;
}

export async function start() {
  readAddress();
  setInterval(watch, 1000);
  listen();
  if (search.value) setSearch(search.value);
  try {
    if (selected.value) loadDetail(selected.value);
    await loadAll();
    await chooseFirst();
  } catch (error) {
    problem.value = error.message;
  }
}
