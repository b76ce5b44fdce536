import type { CreatorView } from '@sidestage/contracts';
import { ArrowRight } from 'lucide-react';
import { useLocation } from 'wouter';
import { useApp } from '../appContext.js';

interface QuestionsProps {
  creator: CreatorView;
  /** Asks in the conversation that is open instead of a new one. */
  onAsk?: (question: string) => void;
}

/** A creator's questions, each one press from its answer. */
export function Questions({ creator, onAsk }: QuestionsProps) {
  const { conversations } = useApp();
  const [, navigate] = useLocation();
  const ask = (question: string) => {
    if (onAsk) {
      onAsk(question);
      return;
    }
    conversations.begin(creator.slug).send(question);
    navigate(`/c/${creator.slug}`);
  };
  if (creator.questions.length === 0) return null;
  return (
    <ul className="questions" aria-label={`Questions to ask ${creator.name}`}>
      {creator.questions.slice(0, 3).map((question) => (
        <li key={question}>
          <button type="button" className="question" onClick={() => ask(question)}>
            <span>{question}</span>
            <ArrowRight aria-hidden="true" />
          </button>
        </li>
      ))}
    </ul>
  );
}
