import type { ChatModel, ModelPassage, ModelPiece, ModelRequest } from '../chat-model.js';

/** A passage for tests; likeness and score are a good hit's unless said otherwise. */
export function makePassage(text: string, fields: Partial<ModelPassage> = {}): ModelPassage {
  return {
    source_id: 'source-1',
    title: 'Bread at home',
    url: 'http://localhost:3000/watch/source-1?t=12',
    text,
    start_seconds: 12,
    end_seconds: 40,
    score: 0.9,
    similarity: 0.6,
    ...fields,
  };
}

export function makeRequest(fields: Partial<ModelRequest> = {}): ModelRequest {
  return {
    system: 'Warm and exact.',
    history: [],
    message: 'How long does the dough rest?',
    passages: [
      makePassage('I knead for ten minutes. The dough rests for four hours at room temperature. Then I shape it.'),
      makePassage('Salt slows the yeast down. I add it after the first mix.', { source_id: 'source-2', title: 'Salt' }),
    ],
    creatorName: 'Marta',
    language: 'en',
    ...fields,
  };
}

export interface CollectedReply {
  pieces: ModelPiece[];
  text: string;
  citations: Extract<ModelPiece, { type: 'citation' }>[];
  finish: Extract<ModelPiece, { type: 'finish' }> | undefined;
}

export function collectPieces(pieces: ModelPiece[]): CollectedReply {
  return {
    pieces,
    text: pieces.map((piece) => (piece.type === 'text' ? piece.text : '')).join(''),
    citations: pieces.filter((piece) => piece.type === 'citation'),
    finish: pieces.find((piece) => piece.type === 'finish'),
  };
}

/** A whole reply. Throws what the stream throws. */
export async function collectReply(
  model: ChatModel,
  request: ModelRequest = makeRequest(),
  signal: AbortSignal = new AbortController().signal,
): Promise<CollectedReply> {
  const pieces: ModelPiece[] = [];
  for await (const piece of model.stream(request, signal)) pieces.push(piece);
  return collectPieces(pieces);
}
