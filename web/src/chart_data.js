// From what the store holds to columns for the chart: pure functions.
import { secondsOf } from './format.js';

export const kBands = [
  { name: '95 %', low: 0.025, high: 0.975 },
  { name: '80 %', low: 0.1, high: 0.9 },
  { name: '50 %', low: 0.25, high: 0.75 },
];

/** The quantile at `level` for every step; between two published levels it is interpolated. */
export function quantileAt(forecast, level) {
  const rows = Object.entries(forecast.quantiles ?? {}).map(([key, values]) => [Number(key), values]).sort((a, b) => a[0] - b[0]);
  const exact = rows.find(([key]) => Math.abs(key - level) < 1e-6);
  if (exact) return exact[1];
  const above = rows.findIndex(([key]) => key > level);
  if (above <= 0) return forecast.ds.map(() => null);
  const [a, lows] = rows[above - 1];
  const [b, highs] = rows[above];
  return lows.map((low, i) => low + ((highs[i] - low) * (level - a)) / (b - a));
}

/**
 * Columns for the chart: [time, actual, median, (low, high) of each band]. Rows: every closed bucket and every step.
 */
export function columnsOf(detail, forecast) {
  const rows = new Map();
  const at = (t) => {
    let row = rows.get(t);
    if (!row) rows.set(t, (row = { t, y: null, median: null, bands: kBands.map(() => [null, null]) }));
    return row;
  };
  for (const actual of detail?.actuals ?? []) at(actual.t).y = actual.y;
  if (forecast) {
    const median = quantileAt(forecast, 0.5);
    const edges = kBands.map((band) => [quantileAt(forecast, band.low), quantileAt(forecast, band.high)]);
    forecast.ds.forEach((ds, i) => {
      const row = at(secondsOf(ds));
      row.median = median[i];
      row.bands = edges.map(([low, high]) => [low[i], high[i]]);
    });
  }
  const sorted = [...rows.values()].sort((a, b) => a.t - b.t);
  const columns = [sorted.map((row) => row.t), sorted.map((row) => row.y), sorted.map((row) => row.median)];
  kBands.forEach((_, b) => {
    columns.push(sorted.map((row) => row.bands[b][0]), sorted.map((row) => row.bands[b][1]));
  });
  return columns;
}

/** The usual distance between two buckets, in seconds. */
export function stepOf(times) {
  const gaps = times.slice(1).map((t, i) => t - times[i]).sort((a, b) => a - b);
  return gaps.length ? gaps[gaps.length >> 1] : 86400;
}

/** What was expected when an alert was raised: {mean, low, high} of the 80 % band. */
export function expectedOf(alert) {
  const expected = alert.expected;
  const quantiles = alert.quantiles ?? expected?.quantiles ?? {};
  return { mean: typeof expected === 'number' ? expected : expected?.mean, low: quantiles['0.1'], high: quantiles['0.9'] };
}

export function isUpward(alert) {
  const direction = alert.labels?.direction;
  return direction ? !/low|down|below/i.test(direction) : alert.observed >= (expectedOf(alert).mean ?? 0);
}

/** Time of the bucket that raised an alert, in seconds. */
export function bucketOf(alert) {
  return secondsOf(alert.ds ?? alert.startsAt ?? '');
}

/** Where alerts stand: [{t, y, up, firing}] on the closed bucket that raised them. */
export function alertMarks(detail, alerts) {
  const marks = [];
  for (const alert of alerts) {
    const t = bucketOf(alert);
    const row = (detail?.actuals ?? []).findLast((actual) => actual.t <= t);
    if (row) marks.push({ t: row.t, y: row.y, up: isUpward(alert), firing: alert.status !== 'resolved' });
  }
  return marks;
}

/** Where now is: between the last closed bucket and the first step of the newest forecast. */
export function nowOf(detail) {
  const newest = detail?.forecasts.at(-1);
  if (!newest) return null;
  const first = secondsOf(newest.ds[0]);
  const last = detail.actuals.findLast((row) => row.t < first);
  return last ? (last.t + first) / 2 : first;
}

/** The open bucket on the time of the step that it will be: labels are local, its start is UTC. */
export function openOf(detail) {
  const open = detail?.open;
  const newest = detail?.forecasts.at(-1);
  if (!open || !newest) return open ?? null;
  const times = newest.ds.map(secondsOf);
  const near = times.find((t) => Math.abs(t - open.t) < stepOf(times) / 2);
  return near == null ? open : { ...open, t: near };
}
