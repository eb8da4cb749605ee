/** The signs one reacts with. Names come from `i18n`, so that a screen reader says more than a picture. */
export const FIRST_SIGNS = [
  { sign: '❤️', name: 'sign.heart' },
  { sign: '👍', name: 'sign.thumb' },
  { sign: '✅', name: 'sign.check' },
  { sign: '😂', name: 'sign.laugh' },
  { sign: '😮', name: 'sign.surprised' },
  { sign: '😢', name: 'sign.sad' },
] as const;

/** Behind "more": said by the platform's own names. */
export const MORE_SIGNS = [
  ...['🙏', '👏', '🎉', '🔥', '💯', '👌', '👎', '💪', '🙌', '🤝', '🫶', '✌️'],
  ...['😊', '🥰', '😍', '🤣', '😅', '😎', '🤔', '😴', '😭', '😡', '🥺', '😱'],
  ...['🤗', '🤩', '😇', '🫡', '🙄', '😬', '🤯', '🥳', '👀', '💔', '💙', '💛'],
  ...['🌸', '☀️', '🌧️', '⭐', '🍀', '🎂', '☕', '🍜', '🍺', '🚀', '⏰', '❓'],
];
