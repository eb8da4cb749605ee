/** Everything the app is to offer. `ready` can be used today; the others are named, and cannot be pressed. */
import BookOpen from '@lucide/svelte/icons/book-open';
import CalendarDays from '@lucide/svelte/icons/calendar-days';
import Banknote from '@lucide/svelte/icons/banknote';
import Blocks from '@lucide/svelte/icons/blocks';
import CarTaxiFront from '@lucide/svelte/icons/car-taxi-front';
import Gift from '@lucide/svelte/icons/gift';
import Landmark from '@lucide/svelte/icons/landmark';
import Mail from '@lucide/svelte/icons/mail';
import MapIcon from '@lucide/svelte/icons/map';
import MessageCircle from '@lucide/svelte/icons/message-circle';
import Scooter from '@lucide/svelte/icons/scooter';
import Search from '@lucide/svelte/icons/search';
import Siren from '@lucide/svelte/icons/siren';
import UsersRound from '@lucide/svelte/icons/users-round';
import WalletIcon from '@lucide/svelte/icons/wallet';

export const ready = [
  { name: 'chat', icon: MessageCircle, href: '/chats' },
  { name: 'pay', icon: Banknote, href: '/wallet/send' },
  { name: 'wallet', icon: WalletIcon, href: '/wallet' },
  { name: 'friends', icon: UsersRound, href: '/friends' },
] as const;

export const coming = [
  { name: 'gift', icon: Gift },
  { name: 'bank', icon: Landmark },
  { name: 'map', icon: MapIcon },
  { name: 'taxi', icon: CarTaxiFront },
  { name: 'scooter', icon: Scooter },
  { name: 'booking', icon: CalendarDays },
  { name: 'mail', icon: Mail },
  { name: 'search', icon: Search },
  { name: 'comics', icon: BookOpen },
  { name: 'miniapp', icon: Blocks },
  { name: 'alert', icon: Siren },
] as const;
