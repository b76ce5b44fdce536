import { Component, type ReactNode } from 'react';
import { NoticePage } from './NoticePage.js';

/** A part of the page that did not come (the line was cut, a new version was put in place) or broke says so instead of leaving it blank. */
export class Safeguard extends Component<{ children: ReactNode }, { broken: boolean }> {
  override state = { broken: false };

  static getDerivedStateFromError(): { broken: boolean } {
    return { broken: true };
  }

  override render(): ReactNode {
    if (!this.state.broken) return this.props.children;
    return (
      <NoticePage
        title="A part of this page did not come"
        text="What you said is kept. Loading the page again mends it."
      >
        <button type="button" className="button" onClick={() => location.reload()}>
          Load the page again
        </button>
      </NoticePage>
    );
  }
}
