import type { CreatorView } from '@sidestage/contracts';
import { Avatar } from '../ui/Avatar.js';
import { Questions } from './Questions.js';

/** An empty conversation: who this is, and three ways in. */
export function Introduction({ creator, onAsk }: { creator: CreatorView; onAsk: (question: string) => void }) {
  return (
    <div className="introduction">
      <Avatar creator={creator} size="large" />
      <h2>{creator.name}</h2>
      {creator.description && <p className="introduction-line">{creator.description}</p>}
      {creator.sources_ready > 0 && (
        <p className="introduction-count">
          Answers come from {creator.sources_ready} of {creator.name}’s own source
          {creator.sources_ready === 1 ? '' : 's'}.
        </p>
      )}
      <Questions creator={creator} onAsk={onAsk} />
    </div>
  );
}
