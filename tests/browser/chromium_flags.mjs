// How the system's Chromium is started: headless, quiet, and in a fresh profile (playwright makes one for each launch).
export const executablePath = process.env.CHROMIUM ?? '/usr/bin/chromium';
export const args = [
  '--headless=new', '--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking',
  '--disable-component-update', '--disable-sync',
];
