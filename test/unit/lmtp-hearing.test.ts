// What shows that a client has heard what became of its message, and what does not.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Hearing } from '../../services/lmtp/hearing.ts';

const alone = { ahead: false, left: false };

/** How often a message was given back as unheard. */
function unheardAfter(course: (hearing: Hearing, message: { unheard(): void }) => void): number {
  let count = 0;
  course(new Hearing(), { unheard: () => (count += 1) });
  return count;
}

for (const [what, unheard, course] of [
  [
    'it says something more',
    0,
    (hearing) => {
      hearing.command();
      hearing.over(true);
    },
  ],
  [
    'its connection is gone',
    1,
    (hearing) => {
      hearing.over(false);
    },
  ],
  [
    'it hangs up without a word',
    1,
    (hearing) => {
      hearing.over(true);
    },
  ],
  [
    'its connection is gone, which is told twice',
    1,
    (hearing) => {
      hearing.over(true);
      hearing.over(true);
    },
  ],
  [
    'we say the last word, and it hangs up',
    0,
    (hearing) => {
      hearing.saidLast();
      hearing.over(true);
    },
  ],
  [
    'we say the last word, and never hear of it again',
    1,
    (hearing) => {
      hearing.saidLast();
      hearing.over(false);
    },
  ],
  [
    'we say the last word, and the connection breaks',
    1,
    (hearing) => {
      hearing.saidLast();
      hearing.broken();
      hearing.over(true);
    },
  ],
] as [string, number, (hearing: Hearing) => void][]) {
  test(`after its replies ${what}: unheard ${unheard} times`, () => {
    const after = (hearing: Hearing, message: { unheard(): void }): void => {
      hearing.told(message, alone);
      hearing.caughtUp();
      course(hearing);
    };
    assert.equal(unheardAfter(after), unheard);
  });
}

test('told to go together with its replies it has no turn to show that it has heard them', () => {
  const toldToGo = (hearing: Hearing, message: { unheard(): void }): void => {
    hearing.told(message, alone);
    hearing.saidLast();
    hearing.caughtUp();
    hearing.over(true);
  };
  assert.equal(unheardAfter(toldToGo), 1);
});

test('what it had sent before the replies proves nothing, what it sends later does', () => {
  const ahead = { ahead: true, left: false };
  const broken = (hearing: Hearing, message: { unheard(): void }): void => {
    hearing.told(message, ahead);
    hearing.command();
    hearing.saidLast();
    hearing.broken();
    hearing.over(true);
  };
  assert.equal(unheardAfter(broken), 1);
  const more = (hearing: Hearing, message: { unheard(): void }): void => {
    hearing.told(message, ahead);
    hearing.command();
    hearing.caughtUp();
    hearing.command();
    hearing.over(false);
  };
  assert.equal(unheardAfter(more), 0);
});

test('a client that had left when the replies came has not heard them, whatever it had sent', () => {
  const left = (hearing: Hearing, message: { unheard(): void }): void => {
    hearing.told(message, { ahead: true, left: true });
    hearing.command();
    hearing.saidLast();
    hearing.over(true);
  };
  assert.equal(unheardAfter(left), 1);
});
