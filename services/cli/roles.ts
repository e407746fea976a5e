// The roles that a process can have.
import { nearest } from '../config/nearest.ts';
import { CommandError, exit } from './exit-codes.ts';

export const roles = ['directory', 'lmtp', 'lookup', 'api', 'worker', 'autoscaler'] as const;
export type Role = (typeof roles)[number];

/** Roles that the design names and a later version brings. */
const later = ['follower'];

function isRole(name: string): name is Role {
  return (roles as readonly string[]).includes(name);
}

/** The roles named on the command line, each once. */
export function rolesOf(names: readonly string[]): Role[] {
  for (const name of names) {
    if (isRole(name)) continue;
    const hint = nearest(name, roles);
    const reason = later.includes(name) ? 'is not in this version' : 'is no role';
    const question = hint === undefined ? '' : `; did you mean ${hint}?`;
    throw new CommandError(exit.usage, `'${name}' ${reason}: there are ${roles.join(', ')}${question}`);
  }
  return roles.filter((role) => names.includes(role));
}
