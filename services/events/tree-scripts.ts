// The Lua scripts of the trees' lists, each put together once.
import { readFileSync } from 'node:fs';
import { Script } from '../redis/script.ts';

const source = (name: string) => readFileSync(new URL(`scripts/${name}.lua`, import.meta.url), 'utf8');
const ofTree = (name: string) => new Script(source('clock') + source('tree') + source(name));
export const appendScript = new Script(source('append'));
export const leadScript = new Script(source('lead'));
export const leaveScript = new Script(source('leave'));
export const giveBackScript = new Script(source('give-back'));
export const nextScript = ofTree('next');
export const failScript = ofTree('fail');
export const renewScript = ofTree('renew');
export const releaseScript = ofTree('release');
export const overdueScript = new Script(source('clock') + source('overdue'));
