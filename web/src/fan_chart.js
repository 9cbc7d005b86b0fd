// The fan chart: uPlot for scales, lines and bands; what is special here (now line, open bucket, alerts, labels) is drawn on top.
import { html } from 'htm/preact';
import { useEffect, useRef } from 'preact/hooks';
import uPlot from 'uplot';
import { kBands, stepOf } from './chart_data.js';
import { quantity } from './format.js';

const kTicks = [
  // size of a step, year-long form at the turn of the year, as uPlot wants it
  [3600 * 24 * 365, '{YYYY}', null, null, null, null, null, null, 1],
  [3600 * 24 * 28, '{MMM}', '\n{YYYY}', null, null, null, null, null, 1],
  [3600 * 24, '{D} {MMM}', '\n{YYYY}', null, null, null, null, null, 1],
  [3600, '{HH}:{mm}', '\n{D} {MMM}', null, '\n{D} {MMM}', null, null, null, 1],
  [60, '{HH}:{mm}', '\n{D} {MMM}', null, '\n{D} {MMM}', null, null, null, 1],
  [1, '{HH}:{mm}:{ss}', '\n{D} {MMM}', null, '\n{D} {MMM}', null, null, null, 1],
];

function colours() {
  const style = getComputedStyle(document.documentElement);
  const of = (name) => style.getPropertyValue(name).trim();
  return { ink: of('--ink'), muted: of('--muted'), grid: of('--grid'), accent: of('--accent'), alert: of('--alert'), surface: of('--surface'),
    bands: [of('--band-95'), of('--band-80'), of('--band-50')], open: of('--open') };
}

function drawNow(u, now, look) {
  if (now == null) return;
  const x = Math.round(u.valToPos(now, 'x', true));
  const { ctx, bbox } = u;
  if (x < bbox.left || x > bbox.left + bbox.width) return;
  ctx.strokeStyle = look.muted;
  ctx.lineWidth = devicePixelRatio;
  ctx.setLineDash([4 * devicePixelRatio, 4 * devicePixelRatio]);
  ctx.beginPath();
  ctx.moveTo(x, bbox.top);
  ctx.lineTo(x, bbox.top + bbox.height);
  ctx.stroke();
  ctx.setLineDash([]);
  ctx.fillStyle = look.muted;
  ctx.textAlign = 'right';
  ctx.textBaseline = 'top';
  ctx.fillText('now', x - 5 * devicePixelRatio, bbox.top + 2 * devicePixelRatio);
}

// The open bucket is a hatched column: it still grows.
function drawOpen(u, open, step, look) {
  if (!open) return;
  const { ctx } = u;
  const half = Math.max(3 * devicePixelRatio, (Math.abs(u.valToPos(open.t + step, 'x', true) - u.valToPos(open.t, 'x', true)) * 0.7) / 2);
  const x = u.valToPos(open.t, 'x', true);
  const top = u.valToPos(open.value, 'y', true);
  const bottom = u.valToPos(Math.max(0, u.scales.y.min), 'y', true);
  ctx.beginPath();
  ctx.rect(x - half, Math.min(top, bottom), half * 2, Math.abs(bottom - top));
  ctx.save();
  ctx.clip();
  ctx.strokeStyle = look.open;
  ctx.lineWidth = 1.5 * devicePixelRatio;
  const gap = 5 * devicePixelRatio;
  const height = Math.abs(bottom - top);
  ctx.beginPath();
  for (let d = -height; d < half * 2; d += gap) {
    ctx.moveTo(x - half + d, Math.max(top, bottom));
    ctx.lineTo(x - half + d + height, Math.min(top, bottom));
  }
  ctx.stroke();
  ctx.restore();
  ctx.strokeStyle = look.open;
  ctx.lineWidth = devicePixelRatio;
  ctx.strokeRect(x - half, Math.min(top, bottom), half * 2, height);
}

function drawAlerts(u, marks, look) {
  const { ctx } = u;
  const size = 6 * devicePixelRatio;
  for (const mark of marks) {
    const x = u.valToPos(mark.t, 'x', true);
    if (x < u.bbox.left || x > u.bbox.left + u.bbox.width) continue;
    const y = u.valToPos(mark.y, 'y', true) + (mark.up ? -2.2 : 2.2) * size;
    const sign = mark.up ? -1 : 1;
    ctx.beginPath();
    ctx.moveTo(x, y + sign * size);
    ctx.lineTo(x + size, y - sign * size * 0.7);
    ctx.lineTo(x - size, y - sign * size * 0.7);
    ctx.closePath();
    ctx.lineWidth = 1.5 * devicePixelRatio;
    ctx.strokeStyle = look.alert;
    ctx.fillStyle = mark.firing ? look.alert : look.surface;
    ctx.fill();
    ctx.stroke();
  }
}

// "95 %" and so on where the fan ends; left out where they would overlap.
function drawBandLabels(u, columns, look) {
  const { ctx } = u;
  let last = -1;
  for (let i = columns[0].length - 1; i >= 0 && last < 0; i--) if (columns[2][i] != null) last = i;
  if (last < 0) return;
  const x = u.valToPos(columns[0][last], 'x', true) + 6 * devicePixelRatio;
  ctx.fillStyle = look.muted;
  ctx.textAlign = 'left';
  ctx.textBaseline = 'middle';
  let below = -Infinity;
  kBands.forEach((band, b) => {
    const y = u.valToPos(columns[4 + 2 * b][last], 'y', true);
    if (y < below + 11 * devicePixelRatio) return;
    below = y;
    ctx.fillText(band.name, x, y);
  });
}

// Bottom and top of the chart. A wide 95 % band may be cut at 1.6 times what else there is, so that the rest stays readable.
function heightOf({ columns, open }) {
  const largest = (values) => values.reduce((most, value) => Math.max(most, value ?? 0), 0);
  const smallest = (values) => values.reduce((least, value) => Math.min(least, value ?? 0), 0);
  const core = Math.max(largest(columns[1]), largest(columns[6]), open?.value ?? 0, 1);
  const top = Math.max(core, Math.min(largest(columns[4]), 1.6 * core));
  const bottom = Math.min(smallest(columns[1]), smallest(columns[5]));
  return [bottom, top + (top - bottom) * 0.08];
}

function options(width, height, state, onHover) {
  const look = state.look;
  const line = (extra) => ({ spanGaps: false, points: { show: false }, ...extra });
  return {
    width,
    height,
    padding: [14, 44, 0, 0],
    tzDate: (seconds) => uPlot.tzDate(new Date(seconds * 1000), 'Etc/UTC'),
    legend: { show: false },
    cursor: { y: false, points: { size: 7 }, drag: { x: false, y: false } },
    scales: {
      x: { time: true },
      y: { range: () => heightOf(state) },
    },
    axes: [
      { stroke: look.muted, grid: { show: false }, ticks: { stroke: look.grid, width: 1, size: 4 }, values: kTicks, font: '12px system-ui, sans-serif', space: 64 },
      { stroke: look.muted, grid: { stroke: look.grid, width: 1 }, ticks: { show: false }, font: '12px system-ui, sans-serif', size: 54, values: (u, ticks) => ticks.map(quantity) },
    ],
    series: [
      {},
      line({ label: 'actual', stroke: look.ink, width: 1.6, points: { show: true, size: 4, fill: look.ink } }),
      line({ label: 'median', stroke: look.accent, width: 2 }),
      ...kBands.flatMap((band) => [line({ label: `${band.name} low`, stroke: 'transparent' }), line({ label: `${band.name} high`, stroke: 'transparent' })]),
    ],
    bands: kBands.map((band, b) => ({ series: [4 + 2 * b, 3 + 2 * b], fill: look.bands[b] })),
    hooks: {
      drawClear: [(u) => { u.ctx.font = `${11 * devicePixelRatio}px system-ui, sans-serif`; }],
      drawSeries: [(u, index) => {
        // The fan is drawn first by uPlot's bands; the marks come on top of everything.
        if (index !== u.series.length - 1) return;
        u.ctx.save();
        u.ctx.font = `${11 * devicePixelRatio}px system-ui, sans-serif`;
        drawOpen(u, state.open, state.step, look);
        drawNow(u, state.now, look);
        drawAlerts(u, state.marks, look);
        drawBandLabels(u, state.columns, look);
        u.ctx.restore();
      }],
      setCursor: [(u) => onHover(u.cursor.idx ?? null)],
    },
  };
}

/** Props: columns (chart_data.js), open {t, value}, now (seconds), marks, theme, onHover(index or null), label. */
export function FanChart({ columns, open, now, marks, theme, onHover, label }) {
  const box = useRef(null);
  const plot = useRef(null);
  const state = useRef({});
  const frame = useRef(0);

  Object.assign(state.current, { columns, now, marks, open, step: stepOf(columns[0]) });

  useEffect(() => {
    const build = () => {
      plot.current?.destroy();
      state.current.look = colours();
      plot.current = new uPlot(options(box.current.clientWidth, box.current.clientHeight, state.current, onHover), state.current.columns, box.current);
    };
    build();
    const resized = new ResizeObserver(() => {
      const { clientWidth: width, clientHeight: height } = box.current;
      if (plot.current && (plot.current.width !== width || plot.current.height !== height)) plot.current.setSize({ width, height });
    });
    resized.observe(box.current);
    const scheme = matchMedia('(prefers-color-scheme: dark)');
    scheme.addEventListener('change', build);
    return () => {
      scheme.removeEventListener('change', build);
      resized.disconnect();
      cancelAnimationFrame(frame.current);
      plot.current?.destroy();
      plot.current = null;
    };
  }, [theme]);

  useEffect(() => {
    cancelAnimationFrame(frame.current);
    frame.current = requestAnimationFrame(() => plot.current?.setData(state.current.columns));
  }, [columns, open, now, marks]);

  return html`<div class="chart" ref=${box} role="img" aria-label=${label}></div>`;
}
