// One command line of `rookery` in this process, with a configuration of two backends and whatever world the test gives it.
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after } from 'node:test';
import { runProgram } from '../../services/cli/program.ts';
import type { Surroundings } from '../../services/cli/surroundings.ts';
import { configuredFacts } from '../../services/process/placement-settings.ts';

const folder = mkdtempSync(join(tmpdir(), 'rookery-cli-'));
after(() => {
  rmSync(folder, { recursive: true });
});
const file = join(folder, 'rookery.yaml');
writeFileSync(
  file,
  'backends:\n  mail1.example.org: { lmtp: { host: 127.0.0.1, port: 2401, username: proxy, password: geheim } }\n  mail2.example.org: {}\n',
);

export interface Ending {
  code: number;
  out: string[];
  err: string[];
}

/** Carries it out. What the test does not give is away. */
export async function rookery(args: string[], more: Partial<Surroundings> = {}): Promise<Ending> {
  const out: string[] = [];
  const err: string[] = [];
  const surroundings: Surroundings = {
    env: { ROOKERY_CONFIG: file, USER: 'postmaster' },
    out: (line) => out.push(line),
    err: (line) => err.push(line),
    openDirectory: () => Promise.reject(new Error('Redis does not answer at /x')),
    wordsOf: () => Promise.resolve(new Map()),
    openBackends: () => Promise.reject(new Error('Redis does not answer at /x')),
    openLeftOvers: () => Promise.reject(new Error('Redis does not answer at /x')),
    openBacklog: () => Promise.reject(new Error('Redis does not answer at /x')),
    openOrders: () => Promise.reject(new Error('Redis does not answer at /x')),
    openMoves: () => Promise.reject(new Error('Redis does not answer at /x')),
    openReplicas: () => Promise.reject(new Error('Redis does not answer at /x')),
    openUsage: () => Promise.reject(new Error('Redis does not answer at /x')),
    openAudit: () => Promise.reject(new Error('Redis does not answer at /x')),
    openPlanning: () => Promise.reject(new Error('Redis does not answer at /x')),
    ring: () => Promise.reject(new Error('Redis does not answer at /x')),
    placementFigures: (config, now) => Promise.resolve(configuredFacts(config, now)),
    startRoles: () => Promise.reject(new Error('address taken')),
    stopAsked: () => Promise.resolve(),
    onReload: () => undefined,
    ...more,
  };
  return { code: await runProgram(args, surroundings, '1.2.3'), out, err };
}
