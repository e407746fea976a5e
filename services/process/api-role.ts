// The role `api`: health and metrics by HTTP.
import { ApiServer } from '../api/health.ts';
import type { RoleStart, StartedRole } from './role.ts';

export async function startApiRole({ config, checks, notes, metrics, log }: RoleStart): Promise<StartedRole> {
  const api = new ApiServer({ checks, notes, metrics, log });
  const address = await api.listen(config.api.listen);
  return { name: 'HTTP', addresses: [address], stop: () => api.close() };
}
