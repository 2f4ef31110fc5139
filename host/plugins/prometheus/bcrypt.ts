// bcrypt (Provos and Mazières, "A Future-Adaptable Password Scheme", 1999): enough of it to check a password against a
// stored `$2a$`, `$2b$` or `$2y$` hash. The work is done in slices, so that the thread goes on serving.

const ALPHABET = './ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789';
const ROUNDS = 16;
const P_WORDS = ROUNDS + 2;
const S_WORDS = 4 * 256;
const PASSWORD_BYTES_MAX = 72;
const SALT_BYTES = 16;
const HASH_BYTES = 23;
/** `OrpheanBeholderScryDoubt` */
const PLAINTEXT = [0x4f727068, 0x65616e42, 0x65686f6c, 0x64657253, 0x63727944, 0x6f756274];
/** Expansions of the key between two turns of the event loop: about a millisecond. */
const SLICE = 8;

export interface BcryptHash {
  readonly cost: number;
  readonly salt: Uint8Array;
  readonly hash: Uint8Array;
}

/** Undefined if the text is no hash. */
export function parseBcrypt(text: string): BcryptHash | undefined {
  const [, cost, salt, hash] = /^\$2[aby]?\$(\d\d)\$([./A-Za-z0-9]{22})([./A-Za-z0-9]{31})$/.exec(text) ?? [];
  if (cost === undefined || Number(cost) < 4 || Number(cost) > 31) return undefined;
  return {
    cost: Number(cost),
    salt: decode(salt!).subarray(0, SALT_BYTES),
    hash: decode(hash!).subarray(0, HASH_BYTES),
  };
}

/** True if the password is the one that was hashed. */
export async function matchesBcrypt(password: string, { cost, salt, hash }: BcryptHash): Promise<boolean> {
  const octets = Buffer.from(`${password}\0`).subarray(0, PASSWORD_BYTES_MAX);
  const state = new Blowfish();
  state.expand(octets, salt);
  const rounds = 2 ** cost;
  for (let i = 0; i < rounds; i++) {
    state.expand(octets);
    state.expand(salt);
    if (i % SLICE === SLICE - 1) await new Promise((resolve) => setImmediate(resolve));
  }
  const made = state.encryptPlaintext().subarray(0, HASH_BYTES);
  return Buffer.compare(made, hash) === 0;
}

function decode(text: string): Uint8Array {
  const octets: number[] = [];
  let bits = 0;
  let held = 0;
  for (const letter of text) {
    held = (held << 6) | ALPHABET.indexOf(letter);
    bits += 6;
    if (bits < 8) continue;
    bits -= 8;
    octets.push((held >> bits) & 0xff);
  }
  return Uint8Array.from(octets);
}

class Blowfish {
  readonly #p: Int32Array;
  readonly #s: Int32Array;
  #left = 0;
  #right = 0;

  constructor() {
    const words = fractionOfPi();
    this.#p = words.slice(0, P_WORDS);
    this.#s = words.slice(P_WORDS);
  }

  /** ExpandKey(state, salt, key); without a salt it is all zeroes. */
  expand(key: Uint8Array, salt?: Uint8Array): void {
    let at = 0;
    for (let i = 0; i < P_WORDS; i++) {
      let word = 0;
      for (let k = 0; k < 4; k++) {
        word = (word << 8) | key[at]!;
        at = (at + 1) % key.length;
      }
      this.#p[i]! ^= word;
    }
    this.#left = 0;
    this.#right = 0;
    const saltWords = salt === undefined ? undefined : wordsOf(salt);
    let turn = 0;
    for (const table of [this.#p, this.#s]) {
      for (let i = 0; i < table.length; i += 2) {
        if (saltWords !== undefined) {
          this.#left ^= saltWords[turn]!;
          this.#right ^= saltWords[turn + 1]!;
          turn ^= 2;
        }
        this.#encipher();
        table[i] = this.#left;
        table[i + 1] = this.#right;
      }
    }
  }

  encryptPlaintext(): Buffer {
    const out = Buffer.alloc(PLAINTEXT.length * 4);
    for (let block = 0; block < PLAINTEXT.length; block += 2) {
      this.#left = PLAINTEXT[block]!;
      this.#right = PLAINTEXT[block + 1]!;
      for (let i = 0; i < 64; i++) this.#encipher();
      out.writeInt32BE(this.#left, block * 4);
      out.writeInt32BE(this.#right, block * 4 + 4);
    }
    return out;
  }

  #encipher(): void {
    const p = this.#p;
    const s = this.#s;
    let left = this.#left ^ p[0]!;
    let right = this.#right;
    for (let i = 1; i <= ROUNDS; i += 2) {
      let mixed = (s[left >>> 24]! + s[0x100 | ((left >> 16) & 0xff)]!) | 0;
      mixed = ((mixed ^ s[0x200 | ((left >> 8) & 0xff)]!) + s[0x300 | (left & 0xff)]!) | 0;
      right ^= mixed ^ p[i]!;
      mixed = (s[right >>> 24]! + s[0x100 | ((right >> 16) & 0xff)]!) | 0;
      mixed = ((mixed ^ s[0x200 | ((right >> 8) & 0xff)]!) + s[0x300 | (right & 0xff)]!) | 0;
      left ^= mixed ^ p[i + 1]!;
    }
    this.#left = right ^ p[ROUNDS + 1]!;
    this.#right = left;
  }
}

function wordsOf(octets: Uint8Array): Int32Array {
  const view = new DataView(octets.buffer, octets.byteOffset, octets.length);
  return Int32Array.from({ length: octets.length / 4 }, (_, i) => view.getInt32(i * 4));
}

let pi: Int32Array | undefined;

/** Blowfish's tables are the binary digits of pi behind the point: pi = 16 arctan(1/5) - 4 arctan(1/239) (Machin). */
function fractionOfPi(): Int32Array {
  if (pi !== undefined) return pi;
  const count = P_WORDS + S_WORDS;
  const guard = 64n;
  const one = 1n << (BigInt(count) * 32n + guard);
  const arctan = (inverse: bigint) => {
    let power = one / inverse;
    let sum = power;
    for (let divisor = 3n, sign = -1n; power !== 0n; divisor += 2n, sign = -sign) {
      power /= inverse * inverse;
      sum += (sign * power) / divisor;
    }
    return sum;
  };
  const fraction = (16n * arctan(5n) - 4n * arctan(239n) - 3n * one) >> guard;
  const octets = Buffer.from(fraction.toString(16).padStart(count * 8, '0'), 'hex');
  pi = wordsOf(octets);
  return pi;
}
