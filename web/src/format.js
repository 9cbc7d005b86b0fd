// Words and numbers for people. Event times are shown in UTC, as the engine keeps them.
const whole = new Intl.NumberFormat('en', { maximumFractionDigits: 0 });
const fine = new Intl.NumberFormat('en', { maximumFractionDigits: 1 });
const short = new Intl.NumberFormat('en', { notation: 'compact', maximumFractionDigits: 1 });

/** A quantity: whole when large, one decimal when small. */
export function quantity(value) {
  if (value == null || !Number.isFinite(value)) return '–';
  return Math.abs(value) >= 20 || Number.isInteger(value) ? whole.format(value) : fine.format(value);
}

/** A counter: 1,234 or 1.2M. */
export function count(value) {
  if (value == null || !Number.isFinite(value)) return '–';
  return Math.abs(value) < 100000 ? whole.format(value) : short.format(value);
}

export function percent(share, digits = 0) {
  return share == null || !Number.isFinite(share) ? '–' : `${(share * 100).toFixed(digits)} %`;
}

/** Seconds since 1970 of a `ds` as records spell it; a time without a zone is UTC. */
export function secondsOf(ds) {
  if (typeof ds === 'number') return ds;
  const text = /[zZ]$|[+-]\d\d:?\d\d$/.test(ds) || ds.length <= 10 ? ds : `${ds.replace(' ', 'T')}Z`;
  return Date.parse(text) / 1000;
}

const months = ['Jan', 'Feb', 'Mar', 'Apr', 'May', 'Jun', 'Jul', 'Aug', 'Sep', 'Oct', 'Nov', 'Dec'];
const days = ['Sun', 'Mon', 'Tue', 'Wed', 'Thu', 'Fri', 'Sat'];

/** "Tue 4 Jan 2011", with the time of day unless it is midnight. */
export function moment(seconds) {
  if (!Number.isFinite(seconds)) return '–';
  const date = new Date(seconds * 1000);
  const day = `${days[date.getUTCDay()]} ${date.getUTCDate()} ${months[date.getUTCMonth()]} ${date.getUTCFullYear()}`;
  const time = date.toISOString().slice(11, 16);
  return time === '00:00' ? day : `${day}, ${time}`;
}

/** Local time of day, hh:mm:ss. */
export function clock(milliseconds) {
  return new Date(milliseconds).toTimeString().slice(0, 8);
}
