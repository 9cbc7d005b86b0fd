// Starts page_fixture_server and talks to it line by line.
import { spawn } from 'node:child_process';
import { createInterface } from 'node:readline';

export async function startFixture(program, flags = []) {
  const child = spawn(program, flags, { stdio: ['pipe', 'pipe', 'inherit'] });
  const lines = createInterface({ input: child.stdout });
  const waiting = [];
  lines.on('line', (line) => waiting.shift()?.(line));
  const failed = new Promise((_, reject) => child.once('exit', () => reject(new Error('the fixture server ended'))));
  failed.catch(() => {});
  const nextLine = () => Promise.race([failed, new Promise((resolve) => { waiting.push(resolve); })]);
  const port = Number((await nextLine()).split(' ')[1]);
  return {
    port,
    url: `http://127.0.0.1:${port}/`,
    /** Sends a command and waits until it is done. */
    async tell(command) {
      const answer = nextLine();
      child.stdin.write(`${command}\n`);
      await answer;
    },
    async stop() {
      if (child.exitCode != null) return;
      const gone = new Promise((resolve) => child.once('exit', resolve));
      child.stdin.end('quit\n');
      await gone;
    },
  };
}
