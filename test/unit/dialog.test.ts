// The dialog runner itself: a conversation that differs must fail, and say where.
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { connect, createServer, type AddressInfo, type Server } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { runDialog } from '../harness/dialog.ts';

const folder = mkdtempSync(join(tmpdir(), 'rookery-dialog-'));
let server: Server;
let plays = 0;

/** Greets, answers each line with itself, closes at `bye`, says nothing to `quiet`. */
before(async () => {
  server = createServer((socket) => {
    socket.setEncoding('latin1');
    socket.on('error', () => undefined);
    socket.write('hello\r\n');
    let text = '';
    socket.on('data', (more) => {
      text += more.toString();
      const lines = text.split('\r\n');
      text = lines.pop() ?? '';
      for (const line of lines) {
        if (line === 'bye') socket.end();
        else if (line !== 'quiet') socket.write(`${line}\r\n`, 'latin1');
      }
    });
  });
  await new Promise<void>((done) => server.listen(0, '127.0.0.1', done));
});
after(() => {
  server.close();
  rmSync(folder, { recursive: true });
});

function play(...lines: string[]): Promise<void> {
  plays += 1;
  const file = join(folder, `${plays}.dialog`);
  writeFileSync(file, lines.join('\n') + '\n', 'latin1');
  return runDialog(file, () => connect((server.address() as AddressInfo).port, '127.0.0.1'));
}

test('a conversation that is as written passes: escapes, repetition, two connections, both ways to close', async () => {
  await play(
    '# a remark',
    's: hello',
    'c: one \\x41',
    's: one \\\\x41',
    'c~ t\\two\\xe9\\r\\n',
    's: t\\two\\xe9',
    '@repeat 3 ab',
    'c: ',
    's~ (ab){3}',
    '[other]',
    's: hello',
    'c: quiet',
    'c-- close',
    's-- closed',
    '[one]',
    's: hello',
    'c: bye',
    's-- closed',
  );
});

test('another line than expected fails, and says file, line, expected and got', async () => {
  await assert.rejects(play('s: hello', 'c: x', 's: y'), /\.dialog:3: s: y\n.*expected "y", got "x"/s);
  await assert.rejects(play('s~ hell'), /\.dialog:1/);
});

test('a line where the server should close fails, and closing where a line should come', async () => {
  await assert.rejects(play('s: hello', 'c: x', 's-- closed'), /expected the server to close, got "x/);
  await assert.rejects(play('s: hello', 'c: bye', 's: x'), /got " \(not ended by CRLF, closed\)"/);
});

test('lines that nobody asked for fail at the end of the file', async () => {
  const lines = ['s: hello', 'c~ a\\r\\nb\\r\\nbye\\r\\n', 's: a', '[b]', 's: hello', 'c: x', 's: x'];
  await assert.rejects(play(...lines), /unasked on connection ""/);
});

test('a step that is none fails', async () => {
  await assert.rejects(play('x: hello'), /no such step/);
  await assert.rejects(play('s:hello'), /no such step/);
});
