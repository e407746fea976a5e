// A message handler that keeps what it is given in memory, and answers as it is told: what stands behind a listener in tests.
import type {
  Abort,
  MailTransaction,
  MessageHandler,
  MessageSink,
  Recipient,
  Sender,
  SessionFacts,
} from '../../services/lmtp/message-handler.ts';
import { reply, type Reply } from '../../services/lmtp/reply.ts';
import { recipientOk, reserved, unknownUser } from '../../services/lmtp/reply-codes.ts';

/** One message, or what there was of it. */
export interface Kept {
  sender: Sender;
  session: SessionFacts;
  recipients: Recipient[];
  raw: Buffer;
  ended: 'whole' | Abort;
}

/** Local parts with a meaning of their own: `nobody`, `reserved`, `throws`, `full`, `late`; all others are welcome. */
export class LmtpStore implements MessageHandler {
  readonly kept: Kept[] = [];
  /** Transactions that came to nothing before DATA. */
  resets = 0;
  /** Makes `write` wait for this, when set. */
  hold: Promise<void> | undefined;

  begin(sender: Sender, session: SessionFacts): MailTransaction {
    const recipients: Recipient[] = [];
    return {
      recipient: (recipient) => this.#recipient(recipient, recipients),
      data: () => this.#sink({ sender, session, recipients }),
      reset: () => {
        this.resets++;
      },
    };
  }

  #recipient(recipient: Recipient, recipients: Recipient[]): Promise<Reply> | Reply {
    switch (recipient.path.local) {
      case 'nobody':
        return unknownUser;
      case 'reserved':
        return Promise.resolve(reserved);
      case 'throws':
        return Promise.reject(new Error('as asked for'));
      default:
        recipients.push(recipient);
        return recipientOk;
    }
  }

  #sink(about: Pick<Kept, 'sender' | 'session' | 'recipients'>): MessageSink {
    const chunks: Buffer[] = [];
    const keep = (ended: Kept['ended']): void => {
      this.kept.push({ ...about, raw: Buffer.concat(chunks), ended });
    };
    return {
      write: (chunk) => {
        chunks.push(chunk);
        return this.hold;
      },
      end: async (last) => {
        if (last !== undefined) chunks.push(last);
        keep('whole');
        await Promise.resolve();
        if (about.recipients.some(({ path }) => path.local === 'late')) throw new Error('as asked for');
        return about.recipients.map(({ path }) => verdict(path.local));
      },
      abort: keep,
    };
  }
}

function verdict(local: string): Reply {
  if (local === 'full') return reply(452, '4.2.2', 'Over quota');
  return reply(250, '2.1.5', `Stored for ${local}`);
}
