// Bundles src/ into dist/, which is committed and goes into the binary. `--watch` rebuilds while working with --ui-dir.
import { build, context } from 'esbuild';
import { copyFile, mkdir } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const here = dirname(fileURLToPath(import.meta.url));
const options = {
  absWorkingDir: here,
  entryPoints: [
    { in: 'src/main.js', out: 'app' },
    { in: 'src/app.css', out: 'app' },
  ],
  outdir: 'dist',
  bundle: true,
  minify: true,
  format: 'esm',
  target: ['es2021', 'chrome100', 'firefox100', 'safari15'],
  legalComments: 'eof',
  logLevel: 'info',
};

await mkdir(join(here, 'dist'), { recursive: true });
for (const name of ['index.html', 'favicon.svg']) await copyFile(join(here, 'src', name), join(here, 'dist', name));
if (process.argv.includes('--watch')) {
  await (await context(options)).watch();
} else {
  await build(options);
}
