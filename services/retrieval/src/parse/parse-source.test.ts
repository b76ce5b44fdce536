import { describe, expect, test } from '@jest/globals';
import { parseSource, type TextFormat } from './parse-source.js';
import { ParseError } from './parsed.js';

const lines = (...all: string[]) => all.join('\n');
const texts = (format: TextFormat, content: string) => parseSource(format, content).map(({ text }) => text);

describe('SubRip', () => {
  test('keeps the words and seconds of every cue, without styling', () => {
    const content = lines(
      '1',
      '00:00:01,500 --> 00:00:04,000',
      '<i>Hello</i> {\\an8}there',
      '',
      '2',
      '01:02:03.25 --> 01:02:05,000 X1:40',
      'it&apos;s',
      'me',
    );
    expect(parseSource('srt', content)).toEqual([
      { start: 1.5, end: 4, text: 'Hello there', opensBlock: true },
      { start: 3723.25, end: 3725, text: "it's me", opensBlock: true },
    ]);
  });

  test.each([
    ['a byte order mark and Windows line ends', '\ufeff1\r\n00:00:01,000 --> 00:00:02,000\r\nHi\r\n', ['Hi']],
    ['no cue numbers', '00:00:01,000 --> 00:00:02,000\nHi\n\n00:00:02,000 --> 00:00:03,000\nyou', ['Hi', 'you']],
    [
      'a cue that is a number',
      '1\n00:00:01,000 --> 00:00:02,000\n42\n\n2\n00:00:03,000 --> 00:00:04,000\nyes',
      ['42', 'yes'],
    ],
    [
      'a blank line inside a cue',
      '1\n00:00:01,000 --> 00:00:02,000\nfirst\n\nsecond\n\n2\n00:00:03,000 --> 00:00:04,000\nthird',
      ['first second', 'third'],
    ],
    ['empty cues', '1\n00:00:01,000 --> 00:00:02,000\n\n2\n00:00:03,000 --> 00:00:04,000\nthird', ['third']],
    [
      'cues out of order',
      '1\n00:00:09,000 --> 00:00:10,000\nlater\n\n2\n00:00:03,000 --> 00:00:04,000\nearlier',
      ['earlier', 'later'],
    ],
    ['an arrow in what is said', '1\n00:00:01,000 --> 00:00:02,000\nfrom a --> to b', ['from a --> to b']],
    ['spaces inside a time', '1\n00:00:01, 000 --> 00:00:02, 000\nHi', ['Hi']],
    ['a time before the beginning', '1\n-00:00:01,000 --> 00:00:02,000\nHi', ['Hi']],
    ['missing hours and dots for commas', '1\n00:01.5 --> 00:02\nHi', ['Hi']],
    ['styling in braces', '1\n00:00:01,000 --> 00:00:02,000\n{b}Hi{/b} {\\pos(1,2)}you', ['Hi you']],
    [
      'a comparison that looks like a tag',
      '1\n00:00:01,000 --> 00:00:02,000\nif a < b and b > c',
      ['if a < b and b > c'],
    ],
    ['an end before its start', '1\n00:00:09,000 --> 00:00:01,000\nodd', ['odd']],
  ])('forgives %s', (_, content, expected) => {
    expect(texts('srt', content)).toEqual(expected);
  });

  test.each([
    ['1\n00:00:xx,000 --> 00:00:04,000\nHi', 'line 2: the cue time "00:00:xx,000" is not a time'],
    ['1\n00:00:01,000 --> \nHi', 'line 2: the cue time "" is not a time'],
    ['1\n00:00:01,000 --> 00:75:00,000\nHi', 'line 2: the cue time "00:75:00,000" is not a time'],
    ['just some words', 'no cues were found: an .srt file has lines such as 00:00:01,000 --> 00:00:04,000'],
    ['', 'no text was found in the file'],
    ['1\n00:00:01,000 --> 00:00:02,000\n♪ ♪', 'no text was found in the file'],
  ])('says what is wrong with %j', (content, message) => {
    expect(() => parseSource('srt', content)).toThrow(new ParseError(message));
  });
});

test('cues that overlap keep their own seconds, in the order of their beginnings', () => {
  const content = lines(
    '1',
    '00:00:01,000 --> 00:00:10,000',
    'A long sign.',
    '',
    '2',
    '00:00:02,000 --> 00:00:03,000',
    '- Is it?',
    '- It is.',
    '',
    '3',
    '-00:00:02,000 --> 00:00:01,000',
    'First.',
  );
  expect(parseSource('srt', content).map(({ start, end, text }) => [start, end, text])).toEqual([
    [0, 1, 'First.'],
    [1, 10, 'A long sign.'],
    [2, 3, '- Is it? - It is.'],
  ]);
});

describe('WebVTT', () => {
  test('reads Windows line ends after a byte order mark, comments of several lines, and words that only look like one', () => {
    const content = [
      '\ufeffWEBVTT',
      'X-TIMESTAMP-MAP=LOCAL:00:00:00.000,MPEGTS:0',
      '',
      'NOTE one',
      'two',
      '',
      '00:01.000 --> 00:02.000 line:0',
      '<c.yellow>Hi</c>',
      '',
      'NOTE three',
      '',
      '1:00:03.000 --> 1:00:04.000',
      'NOTE what is said',
    ].join('\r\n');
    expect(parseSource('vtt', content).map(({ start, end, text }) => [start, end, text])).toEqual([
      [1, 2, 'Hi'],
      [3603, 3604, 'NOTE what is said'],
    ]);
  });

  test('reads voices and skips comments, styles, identifiers and cue settings', () => {
    const content = lines(
      'WEBVTT - A show',
      'Kind: captions',
      '',
      'STYLE',
      '::cue { color: red }',
      '',
      'NOTE',
      'not said',
      '',
      'intro',
      '00:01.000 --> 00:04.000 align:start position:10%',
      '<v.loud Ann Lee>Hello <b>you</b>',
      '',
      '00:04.000 --> 00:08.000',
      '<v Ann Lee>Bye</v><v Bob>Good &amp; bye</v>',
    );
    const segments = parseSource('vtt', content);
    expect(segments.map(({ speaker, text }) => [speaker, text])).toEqual([
      ['Ann Lee', 'Hello you'],
      ['Ann Lee', 'Bye'],
      ['Bob', 'Good & bye'],
    ]);
    expect(segments.map(({ start }) => start)).toEqual([1, 4, expect.any(Number)]);
    expect(segments[2]?.start).toBeGreaterThan(4);
  });

  test('says each word of rolling automatic captions once, at the second it was first shown', () => {
    const content = lines(
      'WEBVTT',
      '',
      '00:00:00.000 --> 00:00:02.000',
      'so<00:00:00.500><c> today</c><00:00:01.000><c> we</c>',
      '',
      '00:00:02.000 --> 00:00:02.010',
      'so today we',
      '',
      '00:00:02.010 --> 00:00:04.000',
      'so today we',
      'bake<c> some</c><c> bread</c>',
      '',
      '00:00:04.000 --> 00:00:04.010',
      'bake some bread',
      '',
      '00:00:04.010 --> 00:00:06.000',
      'bake some bread',
      'with rye flour',
    );
    expect(parseSource('vtt', content).map(({ start, text }) => [start, text])).toEqual([
      [0, 'so today we'],
      [2.01, 'bake some bread'],
      [4.01, 'with rye flour'],
    ]);
  });

  test('keeps what two people really say twice', () => {
    const cue = (at: number, text: string) => `00:0${at}.000 --> 00:0${at}.900\n${text}\n`;
    const content = lines(
      'WEBVTT',
      '',
      cue(1, 'Yes.'),
      cue(2, 'Yes.'),
      cue(3, 'It rained.'),
      cue(4, 'For days.'),
      cue(5, 'And then?'),
    );
    expect(texts('vtt', content)).toEqual(['Yes.', 'Yes.', 'It rained.', 'For days.', 'And then?']);
  });
});

describe('json3', () => {
  test('reads events; one ends where the next begins', () => {
    const content = JSON.stringify({
      events: [
        { tStartMs: 0, dDurationMs: 5000, segs: [{ utf8: 'so ' }, { utf8: 'a < b', tOffsetMs: 200 }] },
        { tStartMs: 2000, dDurationMs: 10, aAppend: 1, segs: [{ utf8: '\n' }] },
        { tStartMs: 2010, dDurationMs: 4000, segs: [{ utf8: '& more' }] },
      ],
    });
    expect(parseSource('json3', content).map(({ start, end, text }) => [start, end, text])).toEqual([
      [0, 2.01, 'so a < b'],
      [2.01, 6.01, '& more'],
    ]);
  });

  test.each([
    ['{', 'the file is not JSON'],
    ['[]', /^the file is not YouTube's json3: the whole/],
    ['{"events":[{"tStartMs":"x"}]}', /^the file is not YouTube's json3: events\.0\.tStartMs/],
    ['{"events":[]}', 'no text was found in the file'],
  ])('says what is wrong with %s', (content, message) => {
    expect(() => parseSource('json3', content)).toThrow(message);
  });
});

describe('Markdown', () => {
  test('reads a transcript: speakers, and seconds between the two marks around', () => {
    const content = lines(
      '**Ann Lee, Ph.D:** Hi there.',
      '',
      '**Bob:** \\[01:00\\] One two. \\[laughs\\] Yes.',
      '',
      'Still Bob.',
      '',
      '**Ann Lee, Ph.D:** \\[1:02:00\\] *The* [end](https://x.y/z).',
    );
    const segments = parseSource('markdown', content);
    expect(segments.map(({ speaker, text }) => [speaker, text])).toEqual([
      ['Ann Lee, Ph.D', 'Hi there.'],
      ['Bob', 'One two. [laughs] Yes.'],
      ['Bob', 'Still Bob.'],
      ['Ann Lee, Ph.D', 'The end.'],
    ]);
    const [first, second, third, last] = segments.map(({ start = -1 }) => start);
    expect([first, second, last]).toEqual([0, 60, 3720]);
    expect(third).toBeGreaterThan(60);
    expect(third).toBeLessThan(3720);
    expect(segments[2]?.end).toBe(3720);
  });

  test('does not let one mistyped mark move the others', () => {
    const content = ['01:00', '59:00', '02:00', '03:00']
      .map((mark, at) => `Said ${at}. \\[${mark}\\] And on.`)
      .join('\n\n');
    const starts = parseSource('markdown', content).map(({ start = -1 }) => start);
    expect(starts.toSorted((a, b) => a - b)).toEqual(starts);
    expect(Math.max(...starts)).toBeLessThan(300);
  });

  test('reads an article: no front matter, link addresses, images, tables’ bars or emphasis', () => {
    const content = lines(
      '---',
      'title: x',
      '---',
      '# A *fine* title',
      '',
      'See [the book](https://x.y/a_(b)) and ![pic](p.png) `code_name` here,',
      'on two lines.',
      '',
      '- first item',
      '- **Note:** second\\*',
      '',
      '> quoted',
      '',
      '| a | b |',
      '| --- | --- |',
      '| 1 | 2 |',
      '',
      'Setext',
      '======',
      '',
      '```js',
      'let a = 1;',
      '```',
      '',
      '[ref]: https://x.y',
    );
    expect(texts('markdown', content)).toEqual([
      'A fine title',
      'See the book and code_name here, on two lines.',
      'first item',
      'Note: second*',
      'quoted',
      'a, b',
      '1, 2',
      'Setext',
      'let a = 1;',
    ]);
    expect(
      parseSource('markdown', content).every(({ speaker, start }) => speaker === undefined && start === undefined),
    ).toBe(true);
  });
});

describe('Markdown that is not only prose', () => {
  test.each([
    [
      'code keeps every character',
      'Run `a*b*c <T>` now.\n\n```ts\nconst x: Map<string, T> = a[0]; // *z* [00:10]\n```',
      ['Run a*b*c <T> now.', 'const x: Map<string, T> = a[0]; // *z* [00:10]'],
    ],
    ['emphasis inside emphasis goes', 'So **bold *nested* it** is.', ['So bold nested it is.']],
    ['a table’s cell may hold a bar', '| a \\| b | c |\n|---|---|\n| 1 | 2 |', ['a | b, c', '1, 2']],
    ['a rule above a paragraph is no front matter', '---\n\nA first.\n\n---\n\nA second.', ['A first.', 'A second.']],
    ['front matter in TOML goes', '+++\ntitle = "x"\n+++\nBody', ['Body']],
    ['a footnote’s words stay', 'Text[^1] here.\n\n[^1]: The note.', ['Text here.', 'The note.']],
    ['a script is not read', 'One\n\n<script>\nalert(1)\n\nalert(2)\n</script>\n\nTwo', ['One', 'Two']],
    ['somebody writing about a script is', '<script> tags\n\nare bad', ['tags', 'are bad']],
  ])('%s', (_, content, expected) => {
    expect(texts('markdown', content)).toEqual(expected);
    expect(parseSource('markdown', content).every(({ start }) => start === undefined)).toBe(true);
  });

  test('a million backticks are read at once', () => {
    expect(texts('markdown', `word ${'`'.repeat(1_000_000)} word`)).toHaveLength(1);
  });
});

describe('HTML', () => {
  test('reads a page that is one form, and words before a script that never ends', () => {
    expect(
      texts('html', '<body><form action="x"><p>All of it</p><button>Send</button></form><p>End</p><script>alert(1)'),
    ).toEqual(['All of it', 'End']);
  });

  test('keeps what is read and drops what is not', () => {
    const content = `<!doctype html><html><head><title>T</title><style>p{}</style></head><body><nav>Menu</nav>
      <h1>Bread</h1><p>Flour &amp; <b>water</b>,<br>salt.</p><script>alert(1)</script><ul><li>One<li>Two</ul>
      <p hidden>secret</p><div style="display: none">gone<div>too</div></div><p>End<footer>foot</footer></body>`;
    expect(texts('html', content)).toEqual(['Bread', 'Flour & water, salt.', 'One', 'Two', 'End']);
  });

  test('takes the article where the page has one', () => {
    const long = 'A sentence about bread. '.repeat(12).trim();
    expect(
      texts(
        'html',
        `<div>Cookie notice</div><article><header><h1>Title</h1></header><p>${long}</p></article><p>More posts</p>`,
      ),
    ).toEqual(['Title', long]);
  });

  test('refuses a page of a hundred thousand open tags at once', () => {
    expect(() => parseSource('html', `${'<div><b>'.repeat(50_000)}deep`)).toThrow(
      'the page has more than 3000 elements inside one another',
    );
  });
});

describe('plain text', () => {
  test('is cut at blank lines, and its times are marks', () => {
    expect(texts('text', 'one\ntwo\n\nthree')).toEqual(['one two', 'three']);
    expect(
      parseSource('text', '0:00\nhello there\n0:15\nhow are you\n1:00\nbye').map(({ start, text }) => [start, text]),
    ).toEqual([
      [0, 'hello there'],
      [15, 'how are you'],
      [60, 'bye'],
    ]);
  });

  test.each([
    ['\u00ff\u0000'.repeat(500), 'the file is not text'],
    ['caf\ufffd '.repeat(100), 'the file is not UTF-8 text: save it as UTF-8 and upload it again'],
    ['  \n\t\u200b ', 'no text was found in the file'],
  ])('refuses %#', (content, message) => {
    expect(() => parseSource('text', content)).toThrow(new ParseError(message));
  });
});
