/** Holding something with a finger, or a right click, does more than a tap. */
import type { Attachment } from 'svelte/attachments';

const HOLD_MS = 450;
/** A finger that moves further than this scrolls. */
const MOVED_PX = 10;

/** Calls `onhold` for a long press and for a right click, and swallows the tap that would follow. */
export function hold(onhold: () => void): Attachment<HTMLElement> {
  return (element) => {
    let timer: ReturnType<typeof setTimeout> | undefined;
    let from = { x: 0, y: 0 };
    let isHeld = false;
    const stop = () => clearTimeout(timer);
    const listeners: [keyof HTMLElementEventMap, (event: never) => void, boolean?][] = [
      [
        'pointerdown',
        (event: PointerEvent) => {
          isHeld = false;
          stop();
          // What is held inside of something that can be held is what is meant.
          event.stopPropagation();
          if (event.pointerType === 'mouse') return;
          from = { x: event.clientX, y: event.clientY };
          timer = setTimeout(() => {
            isHeld = true;
            onhold();
          }, HOLD_MS);
        },
      ],
      [
        'pointermove',
        (event: PointerEvent) => {
          if (Math.hypot(event.clientX - from.x, event.clientY - from.y) > MOVED_PX) stop();
        },
      ],
      ['pointerup', stop],
      ['pointercancel', stop],
      [
        'contextmenu',
        (event: MouseEvent) => {
          // A link keeps the browser's own menu.
          if ((event.target as Element).closest('a')) return;
          event.preventDefault();
          event.stopPropagation();
          stop();
          if (!isHeld) onhold();
          isHeld = event instanceof PointerEvent && event.pointerType === 'touch';
        },
      ],
      [
        'click',
        (event: MouseEvent) => {
          if (!isHeld) return;
          isHeld = false;
          event.preventDefault();
          event.stopPropagation();
        },
        true,
      ],
    ];
    for (const [name, listener, capture] of listeners)
      element.addEventListener(name, listener as EventListener, capture);
    return () => {
      stop();
      for (const [name, listener, capture] of listeners)
        element.removeEventListener(name, listener as EventListener, capture);
    };
  };
}
