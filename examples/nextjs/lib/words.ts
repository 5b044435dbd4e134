/** What the pages say, in English and Indonesian. */

import { headers } from "next/headers";

const en = {
  logIn: "Log in",
  logOut: "Log out",
  register: "Create account",
  skip: "Skip to the content",
  main: "Main",
  notes: "Notes",
  devices: "Devices",
  resource: "Resource",
  home: "Home",

  hello: "Good to see you",
  helloName: (name: string) => `Hello, ${name}`,
  lead: "This front end keeps your login safe: no token ever reaches a script of this page.",
  leadOut: "Log in, and this front end knows you. Your password stays with the login service.",
  go: "See the resource",
  saidOut: "You are logged out.",
  saidOutHere:
    "You are logged out in this browser. The login service did not answer, so it may still list this device for a while. To end it for certain, log in again later and log out once more.",

  needsLogin: "Log in to see this page",
  needsLoginWhy: "It shows what belongs to you. After logging in you come straight back here.",
  away: "The login service does not answer",
  awayWhy: "You are not logged out. Wait a minute, then try again.",
  again: "Try again",

  success: "akses sukses",
  successWhy: (id: string) => `The access token is good. You are account number ${id}.`,

  noNotes: "You have no notes yet. Write your first one above.",
  note: "New note",
  noteHint: "Up to 2,000 characters.",
  add: "Add note",
  adding: "Adding…",
  notesAway: "Your notes cannot be shown: the program that keeps them does not answer. Nothing is lost. Try again in a minute.",
  noteAway: "The note was not saved: the notes do not answer. Your text is still here. Try again in a minute.",
  noteRefused: "That note cannot be saved. Write between 1 and 2,000 characters.",
  noteOver: "The note was not saved: you are logged out. Copy your text, then log in again.",

  devicesWhy: "Where you are logged in. End what you do not know, then change your password.",
  devicesTwice: "This browser may be listed twice: once for this front end, once for the login service itself.",
  thisDevice: "this device",
  lastUsed: (when: string, address: string) => `Last used ${when} · ${address}`,
  end: "End",
  endDevice: (name: string) => `End ${name}`,
  saidEnded: "That device is logged out.",
  saidNotEnded: "That did not work: the login service does not answer. Try again in a minute.",
  unknownDevice: "Unknown device",

  refused: {
    state: ["This login was not begun here", "It began in another browser or tab, or too long ago. Log in once more from here."],
    code: ["This login took too long", "Its code works once, for one minute. Log in once more; you will not have to type your password again."],
    denied: ["You are not logged in", "The login was cancelled, or this account may not log in. You can try again or choose another way."],
    away: ["The login service does not answer", "Nothing is wrong with your account. Wait a minute, then log in again."],
    form: ["That was not sent from here", "For your safety nothing was done. Go to the home page and press the button there."],
  },
  already: "You are already logged in",
  alreadyWhy: "That login was not needed any more. Go on from the home page.",
  notFound: "There is no such page",
  notFoundWhy: "The address may be mistyped, or the page has moved.",
};

const id: typeof en = {
  logIn: "Masuk",
  logOut: "Keluar",
  register: "Buat akun",
  skip: "Langsung ke isi",
  main: "Utama",
  notes: "Catatan",
  devices: "Perangkat",
  resource: "Resource",
  home: "Beranda",

  hello: "Senang bertemu Anda",
  helloName: (name) => `Halo, ${name}`,
  lead: "Aplikasi ini menjaga login Anda: tidak ada token yang sampai ke skrip halaman ini.",
  leadOut: "Masuk dulu, lalu aplikasi ini mengenali Anda. Kata sandi Anda tetap di layanan login.",
  go: "Buka resource",
  saidOut: "Anda sudah keluar.",
  saidOutHere:
    "Anda sudah keluar di peramban ini. Layanan login tidak menjawab, jadi perangkat ini mungkin masih tercatat di sana untuk sementara. Supaya pasti, nanti masuk lagi lalu keluar sekali lagi.",

  needsLogin: "Masuk untuk membuka halaman ini",
  needsLoginWhy: "Isinya milik Anda. Setelah masuk, Anda langsung kembali ke sini.",
  away: "Layanan login tidak menjawab",
  awayWhy: "Anda tidak dikeluarkan. Tunggu sebentar, lalu coba lagi.",
  again: "Coba lagi",

  success: "akses sukses",
  successWhy: (number) => `Access token Anda berlaku. Akun Anda nomor ${number}.`,

  noNotes: "Belum ada catatan. Tulis yang pertama di atas.",
  note: "Catatan baru",
  noteHint: "Paling banyak 2.000 karakter.",
  add: "Simpan catatan",
  adding: "Menyimpan…",
  notesAway: "Catatan Anda belum bisa ditampilkan: program penyimpannya tidak menjawab. Tidak ada yang hilang. Coba lagi sebentar lagi.",
  noteAway: "Catatan belum tersimpan: penyimpanannya tidak menjawab. Teks Anda masih ada di sini. Coba lagi sebentar lagi.",
  noteRefused: "Catatan itu tidak bisa disimpan. Tulis 1 sampai 2.000 karakter.",
  noteOver: "Catatan belum tersimpan: Anda sudah keluar. Salin teks Anda, lalu masuk lagi.",

  devicesWhy: "Di sinilah akun Anda sedang masuk. Keluarkan yang tidak Anda kenal, lalu ganti kata sandi.",
  devicesTwice: "Peramban ini bisa tercantum dua kali: untuk front end ini, dan untuk layanan login itu sendiri.",
  thisDevice: "perangkat ini",
  lastUsed: (when, address) => `Terakhir dipakai ${when} · ${address}`,
  end: "Keluarkan",
  endDevice: (name) => `Keluarkan ${name}`,
  saidEnded: "Perangkat itu sudah dikeluarkan.",
  saidNotEnded: "Belum berhasil: layanan login tidak menjawab. Coba lagi sebentar lagi.",
  unknownDevice: "Perangkat tak dikenal",

  refused: {
    state: ["Proses masuk ini tidak dimulai di sini", "Prosesnya dimulai di peramban atau tab lain, atau sudah terlalu lama. Silakan masuk sekali lagi dari sini."],
    code: ["Proses masuk ini terlalu lama", "Kodenya berlaku sekali, selama satu menit. Silakan masuk sekali lagi; Anda tidak perlu mengetik kata sandi lagi."],
    denied: ["Anda belum masuk", "Proses masuk dibatalkan, atau akun ini tidak boleh masuk. Coba lagi, atau pilih cara lain."],
    away: ["Layanan login tidak menjawab", "Akun Anda baik-baik saja. Tunggu sebentar, lalu masuk lagi."],
    form: ["Permintaan itu bukan dari sini", "Demi keamanan Anda, tidak ada yang diubah. Buka beranda, lalu tekan tombolnya di sana."],
  },
  already: "Anda sudah masuk",
  alreadyWhy: "Proses masuk yang tadi tidak diperlukan lagi. Lanjutkan dari beranda.",
  notFound: "Halaman itu tidak ada",
  notFoundWhy: "Mungkin alamatnya salah ketik, atau halamannya sudah pindah.",
};

export type Words = typeof en;

/** The language that the browser names first of those that there are. */
export async function words(): Promise<{ language: "en" | "id"; t: Words }> {
  const wanted = ((await headers()).get("Accept-Language") ?? "").slice(0, 512).toLowerCase();
  const language = /(?:^|,)\s*(en|id)\b/.exec(wanted)?.[1] === "id" ? "id" : "en";
  return { language, t: language === "id" ? id : en };
}
