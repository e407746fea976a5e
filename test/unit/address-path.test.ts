// Paths and parameters of MAIL and RCPT: what is taken, how it is taken apart, what is refused and in which words.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { maxPath, parseParameters, parsePath } from '../../services/address/path.ts';

/** [text, local part, domain, rest] */
const taken: [string, string, string | undefined, string?][] = [
  ['<alice>', 'alice', undefined],
  ['<bob@example.org>', 'bob', 'example.org'],
  ['<>', '', undefined],
  ['<Postmaster>', 'Postmaster', undefined],
  ['<alice+Archive>', 'alice+Archive', undefined],
  ['<alice+Sent.Old@internal>', 'alice+Sent.Old', 'internal'],
  ['<+news.local>', '+news.local', undefined],
  ['<+news.local@internal>', '+news.local', 'internal'],
  ['<bb+news/local@example.org>', 'bb+news/local', 'example.org'],
  ['<a.b@example.org>', 'a.b', 'example.org'],
  ['<.a..b.@example.org>', '.a..b.', 'example.org'],
  ['<"with quotes">', '"with quotes"', undefined],
  ['<"a b"@example.org>', '"a b"', 'example.org'],
  ['<"a@b"@example.org>', '"a@b"', 'example.org'],
  ['<"a>b"@example.org>', '"a>b"', 'example.org'],
  ['<"a\\"b\\\\"@example.org>', '"a\\"b\\\\"', 'example.org'],
  ['<""@example.org>', '""', 'example.org'],
  ['<a\\@b@example.org>', 'a\\@b', 'example.org'],
  ["<!#$%&'*/=?^_`{|}~-@example.org>", "!#$%&'*/=?^_`{|}~-", 'example.org'],
  ['<a@[192.0.2.1]>', 'a', '[192.0.2.1]'],
  ['<a@[IPv6:2001:db8::1]>', 'a', '[IPv6:2001:db8::1]'],
  ['<a@xn--bcher-kva.example>', 'a', 'xn--bcher-kva.example'],
  ['<a@under_score.example>', 'a', 'under_score.example'],
  ['<a@EXAMPLE.Org.>', 'a', 'EXAMPLE.Org.'],
  ['<@relay.example:a@example.org>', 'a', 'example.org'],
  ['<@one.example,@[192.0.2.1],@two:a@example.org>', 'a', 'example.org'],
  ['<@one.example:"x y">', '"x y"', undefined],
  ['<SRS0=abc=de=example.net=user@example.org>', 'SRS0=abc=de=example.net=user', 'example.org'],
  ['<alice> NOTIFY=NEVER', 'alice', undefined, ' NOTIFY=NEVER'],
  ['<> SIZE=200 BODY=8BITMIME', '', undefined, ' SIZE=200 BODY=8BITMIME'],
  ['<s@example.org> AUTH=<>', 's', 'example.org', ' AUTH=<>'],
  [`<${'a'.repeat(500)}@${'d'.repeat(499)}>`, 'a'.repeat(500), 'd'.repeat(499)],
];

/** [text, the refusal] */
const refused: [string, RegExp][] = [
  ['', /does not begin with "<"/],
  ['alice', /does not begin with "<"/],
  [' <alice>', /does not begin with "<"/],
  ['<', /local part has its end at octet 2/],
  ['<alice', /path has its end at octet 7/],
  ['<alice>x', /followed by "x"/],
  ['<alice>\t', /followed by octet 0x09/],
  ['<@example.org>', /source route/],
  ['<@example.org:>', /local part has ">"/],
  ['<@:a@example.org>', /source route/],
  ['<@a,b:c@example.org>', /source route/],
  ['<a@>', /domain has ">" at octet 4/],
  ['<a@b@c>', /path has "@" at octet 5/],
  ['<a b@example.org>', /path has octet 0x20/],
  ['<a(b)@example.org>', /path has "\("/],
  ['<a[b@example.org>', /path has "\["/],
  ['<a,b@example.org>', /path has ","/],
  ['<a:b@example.org>', /path has ":"/],
  ['<a;b@example.org>', /path has ";"/],
  ['<a<b@example.org>', /path has "<"/],
  ['<a"b"@example.org>', /path has """/],
  ['<"a"b@example.org>', /path has "b"/],
  ['<"open@example.org>', /local part has """/],
  ['<a\\', /path has "\\"/],
  ['<a\\\x01b@example.org>', /path has "\\"/],
  ['<a\x00b@example.org>', /path has octet 0x00/],
  ['<a\r\nRCPT TO:<b>@example.org>', /path has octet 0x0d/],
  ['<"a\nb"@example.org>', /local part/],
  ['<a\x7f@example.org>', /path has octet 0x7f/],
  ['<a@b c>', /path has octet 0x20/],
  ['<a@b!c>', /path has "!"/],
  ['<a@[192.0.2.1>', /domain has "\["/],
  ['<a@[]>', /domain has "\["/],
  [`<${'a'.repeat(500)}@${'d'.repeat(500)}>`, /longer than 1000 octets/],
  [`<"${'a'.repeat(100_000)}`, /longer than 1000 octets/],
];

for (const [text, local, domain, rest] of taken) {
  test(`taken: ${text.slice(0, 60)}`, () => {
    const found = parsePath(text, true);
    assert.ok('path' in found, JSON.stringify(found));
    const raw = domain === undefined ? local : `${local}@${domain}`;
    assert.deepEqual(found, { path: { local, domain, raw }, rest: rest ?? '' });
  });
}

for (const [text, error] of refused) {
  test(`refused: ${JSON.stringify(text.slice(0, 60))}`, () => {
    for (const strict of [true, false]) {
      const found = parsePath(text, strict);
      assert.ok('error' in found, JSON.stringify(found));
      assert.match(found.error, error);
    }
  });
}

test('octets above 127 are refused when strict and kept when not, in every part', () => {
  for (const text of [
    '<j\xc3\xb6rg@example.org>',
    '<"j\xc3\xb6rg">',
    '<a@b\xc3\xbccher.example>',
    '<@b\xc3\xbc:a>',
    '<a\\\xff@b>',
  ]) {
    assert.ok('error' in parsePath(text, true), text);
    const found = parsePath(text, false);
    assert.ok('path' in found, text);
    assert.ok(text.endsWith(`${found.path.raw}>`), text);
  }
});

test('the bound is on the path, not on the line', () => {
  const long = `<${'a'.repeat(maxPath)}> ${'X='.padEnd(5000, 'x')}`;
  assert.ok('path' in parsePath(long, true));
  assert.ok('error' in parsePath(`<${'a'.repeat(maxPath + 1)}>`, true));
});

test('parameters are read', () => {
  const cases: [string, [string, string | true][]][] = [
    ['', []],
    ['   ', []],
    [' SIZE=200', [['SIZE', '200']]],
    [' size=200  body=8BITMIME ', [['SIZE', '200'], ['BODY', '8BITMIME']]],
    [' SMTPUTF8 AUTH=<>', [['SMTPUTF8', true], ['AUTH', '<>']]],
    [' AUTH=e+3Dmc2@example.com', [['AUTH', 'e+3Dmc2@example.com']]],
    [' IGNOREQUOTA', [['IGNOREQUOTA', true]]],
    [' X=a=b', [['X', 'a=b']]],
    [' ORCPT=utf-8;j\xc3\xb6rg', [['ORCPT', 'utf-8;j\xc3\xb6rg']]],
    [' __PROTO=1'.replace('__', ''), [['PROTO', '1']]],
  ]; // prettier-ignore
  for (const [rest, expected] of cases) assert.deepEqual(parseParameters(rest), new Map(expected), rest);
});

test('parameters are refused', () => {
  const cases: [string, RegExp][] = [
    [' SIZE=', /SIZE requires a value/],
    [' SIZE=1 size=2', /SIZE is given twice/],
    [' =1', /no proper keyword/],
    [' -X', /no proper keyword/],
    [' __proto__=1', /no proper keyword/],
    [' a\x00b', /no proper keyword/],
    [' X=a\tb', /X has a control character/],
    [' X=\x7f', /X has a control character/],
  ];
  for (const [rest, error] of cases) {
    const found = parseParameters(rest);
    assert.ok('error' in found, rest);
    assert.match(found.error, error);
  }
});
