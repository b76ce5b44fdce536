import { cuesToSegments, isTimeLine } from './cues.js';
import { decodeEntities } from './entities.js';
import { type ParsedSegment, ParseError, tidy } from './parsed.js';
import type { Cue } from './rolling-captions.js';
import { readCues } from './srt.js';

const voicePattern = /<v(?:\.[^\s>]*)?\s+([^>]{1,120})>/g;

/** WebVTT captions: NOTE, STYLE and REGION blocks are skipped, cue settings and tags dropped, `<v Name>` is the speaker. */
export function parseVtt(text: string): ParsedSegment[] {
  const lines = text.split('\n');
  const cues = readCues(withoutComments(lines), 1, 'free').flatMap(byVoice);
  if (cues.length === 0 && !/^WEBVTT\s*$/.test(text.trim()) && text.trim() !== '') {
    throw new ParseError('no cues were found: a .vtt file has lines such as 00:01.000 --> 00:04.000');
  }
  return cuesToSegments(cues);
}

/** The same number of lines, those of comment blocks and of the header empty. */
function withoutComments(lines: string[]): string[] {
  let skipping = /^WEBVTT/.test(lines[0] ?? '');
  return lines.map((line, at) => {
    const afterBlank = at === 0 || lines[at - 1]?.trim() === '';
    if (line.trim() === '') skipping = false;
    else if (isTimeLine(line)) skipping = false;
    else if (afterBlank && /^(NOTE|STYLE|REGION)(\s|$)/.test(line)) skipping = true;
    return skipping ? '' : line;
  });
}

/** A cue in which several people speak is one cue a voice, its time shared out by length. */
function byVoice(cue: Cue): Cue[] {
  const voices = [...cue.text.matchAll(voicePattern)];
  if (voices.length === 0) return [cue];
  const stretches = voices.map((voice, at) => ({
    speaker: tidy(decodeEntities(voice[1] ?? '')),
    from: at === 0 ? 0 : voice.index,
    to: voices[at + 1]?.index ?? cue.text.length,
  }));
  const secondsPerCharacter = (cue.end - cue.start) / Math.max(1, cue.text.length);
  return stretches.map(({ speaker, from, to }) => ({
    start: cue.start + from * secondsPerCharacter,
    end: cue.start + to * secondsPerCharacter,
    speaker,
    text: cue.text.slice(from, to),
  }));
}
