// A listener in a process of its own, that tells where it listens and, when asked, how much memory it has.
import { LmtpListener } from '../../services/lmtp/listener.ts';
import { lmtpDefaults } from '../../services/lmtp/settings.ts';
import { LmtpStore } from './lmtp-store.ts';
import { quietLog } from './quiet-log.ts';

const listener = new LmtpListener({
  ...{ servername: 'mx.test', settings: { ...lmtpDefaults, sessions_limit: 20_000 } },
  ...{ handler: new LmtpStore(), log: quietLog },
});
process.on('message', () => {
  process.send?.({ sessions: listener.sessions, rss: process.memoryUsage().rss });
});
process.send?.(await listener.listen({ host: '127.0.0.1', port: 0 }));
