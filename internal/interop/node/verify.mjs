// Digital Bazaar's verifier, one request a line:
//   {document, controllers: {url: document}, now?} -> {proofs: [...], error?}
//   {..., time: "issue" | "verify", seed?, method?} -> {ns, error?}
//   {..., sign: suite, key, mandatory?} or {..., derive: pointers} -> {document, error?}
// Documents travel as text, so that what is checked is byte for byte what was
// sent. Nothing is fetched: contexts come from the folder given as argument,
// by the addresses its index names, and keys from the request.
import {createInterface} from 'node:readline';
import {join} from 'node:path';
import {readFileSync} from 'node:fs';
import * as EcdsaMultikey from '@digitalbazaar/ecdsa-multikey';
import * as Ed25519Multikey from '@digitalbazaar/ed25519-multikey';
import * as sd from '@digitalbazaar/ecdsa-sd-2023-cryptosuite';
import * as vc from '@digitalbazaar/vc';
import {createSignCryptosuite as jcsSign, createVerifyCryptosuite as jcs} from '@digitalbazaar/eddsa-jcs-2022-cryptosuite';
import {DataIntegrityProof} from '@digitalbazaar/data-integrity';
import {Ed25519Signature2020} from '@digitalbazaar/ed25519-signature-2020';
import {cryptosuite as ecdsa} from '@digitalbazaar/ecdsa-rdfc-2019-cryptosuite';
import {cryptosuite as rdfc} from '@digitalbazaar/eddsa-rdfc-2022-cryptosuite';
import jsigs from 'jsonld-signatures';

const suites = {
  'eddsa-rdfc-2022': () => new DataIntegrityProof({cryptosuite: rdfc}),
  'eddsa-jcs-2022': () => new DataIntegrityProof({cryptosuite: jcs()}),
  'ecdsa-rdfc-2019': () => new DataIntegrityProof({cryptosuite: ecdsa}),
  'ecdsa-sd-2023': () => new DataIntegrityProof({cryptosuite: sd.createVerifyCryptosuite()}),
  'Ed25519Signature2020': () => new Ed25519Signature2020()
};

// signers make a proof by a suite with a key.
const signers = {
  'eddsa-rdfc-2022': signer => new DataIntegrityProof({signer, cryptosuite: rdfc}),
  'eddsa-jcs-2022': signer => new DataIntegrityProof({signer, cryptosuite: jcsSign()}),
  'ecdsa-rdfc-2019': signer => new DataIntegrityProof({signer, cryptosuite: ecdsa}),
  'ecdsa-sd-2023': (signer, mandatoryPointers) =>
    new DataIntegrityProof({signer, cryptosuite: sd.createSignCryptosuite({mandatoryPointers})}),
  'Ed25519Signature2020': signer => new Ed25519Signature2020({signer})
};

const contexts = readContexts(process.argv[process.argv.length - 1]);

for await (const line of createInterface({input: process.stdin, crlfDelay: Infinity})) {
  process.stdout.write(JSON.stringify(await answer(line)) + '\n');
}

// answer never throws: what cannot be read is an answer too.
async function answer(line) {
  try {
    const {document, controllers, now, time, seed, method, sign, key, mandatory, derive} = JSON.parse(line);
    const documentLoader = loader(controllers ?? {});
    const purpose = new jsigs.purposes.AssertionProofPurpose();
    if (sign) {
      const pair = await (sign.startsWith('ecdsa') ? EcdsaMultikey : Ed25519Multikey).from(key);
      const suite = signers[sign](pair.signer(), mandatory ?? []);
      return {document: JSON.stringify(await jsigs.sign(JSON.parse(document), {suite, purpose, documentLoader}))};
    }
    if (derive) {
      const suite = new DataIntegrityProof({cryptosuite: sd.createDiscloseCryptosuite({selectivePointers: derive})});
      return {document: JSON.stringify(await jsigs.derive(JSON.parse(document), {suite, purpose, documentLoader}))};
    }
    if (time) {
      return {ns: await measure(time, {document, documentLoader, seed, method})};
    }
    const proofs = [];
    for (const {credential, at} of credentials(JSON.parse(document), '')) {
      proofs.push(...await verify({credential, at, documentLoader, now}));
    }
    return {proofs};
  } catch (error) {
    return {proofs: [], error: message(error)};
  }
}

// credentials are the document and, at any depth, what it embeds.
function* credentials(credential, at) {
  yield {credential, at};
  for (const [subject, where] of each(credential?.credentialSubject, at + '/credentialSubject')) {
    for (const [one, place] of each(subject?.verifiableCredential, where + '/verifiableCredential')) {
      yield* credentials(one, place);
    }
  }
}

// each reads a value that JSON-LD lets stand alone or in a list.
function each(value, at) {
  if (Array.isArray(value)) {
    return value.map((one, i) => [one, `${at}/${i}`]);
  }
  return value === undefined ? [] : [[value, at]];
}

// verify checks every proof of one credential as if it were the only one. The
// verifier itself is content when any one proof of a set holds.
async function verify({credential, at, documentLoader, now}) {
  const proofs = each(credential?.proof, '').map(([proof]) => proof);
  const id = typeof credential?.id === 'string' ? credential.id : '';
  if (proofs.length === 0) {
    return [{at, id, cryptosuite: '', verified: false, error: 'no proof'}];
  }
  const results = [];
  for (const proof of proofs) {
    const cryptosuite = String(proof?.cryptosuite ?? proof?.type ?? '');
    const suite = suites[cryptosuite]?.();
    if (!suite) {
      results.push({at, id, cryptosuite, verified: false, error: 'a cryptosuite that is not checked here'});
      continue;
    }
    const result = await vc.verifyCredential({
      credential: {...structuredClone(credential), proof: structuredClone(proof)},
      suite, documentLoader, now: now ? new Date(now) : new Date(),
      checkStatus: async () => ({verified: true}) // revocation is asked of nobody here
    });
    const error = result.verified ? '' : message(result.error);
    results.push({at, id, cryptosuite, verified: result.verified === true, error});
  }
  return results;
}

// measure is how many nanoseconds one operation takes, from JSON text to JSON
// text, over as many as a quarter of a second holds; one before is not counted.
async function measure(operation, {document, documentLoader, seed, method}) {
  const checkStatus = async () => ({verified: true});
  const key = operation === 'issue' && await Ed25519Multikey.generate(
    {seed: Buffer.from(seed, 'hex'), id: method, controller: method.split('#')[0]});
  const once = {
    async issue() {
      const suite = new DataIntegrityProof({signer: key.signer(), cryptosuite: rdfc});
      return JSON.stringify(await vc.issue({credential: JSON.parse(document), suite, documentLoader}));
    },
    async verify() {
      for (const {credential} of credentials(JSON.parse(document), '')) {
        const suite = new DataIntegrityProof({cryptosuite: rdfc});
        const result = await vc.verifyCredential({credential, suite, documentLoader, checkStatus});
        if (!result.verified) {
          throw result.error;
        }
      }
    }
  }[operation];
  await once();
  const start = process.hrtime.bigint();
  let n = 0;
  let spent = 0;
  for (; n === 0 || spent < 25e7; n++) {
    await once();
    spent = Number(process.hrtime.bigint() - start);
  }
  return spent / n;
}

// message is an error with those that it gathers.
function message(error) {
  const errors = [error?.errors ?? error ?? 'refused without a reason'].flat();
  return errors.map(e => {
    const event = e?.details?.event;
    const detail = event ? ` ${event.message} ${JSON.stringify(event.details)}` : '';
    const cause = e?.details?.cause?.message;
    return (e?.message ?? String(e)) + detail + (cause ? ` (${cause})` : '');
  }).join('; ');
}

// loader answers from the contexts and the request, and refuses all else.
function loader(controllers) {
  return async url => {
    const context = contexts.get(url);
    if (context) {
      // static: the processed context may be kept from one request to the next
      return {contextUrl: null, documentUrl: url, document: context, tag: 'static'};
    }
    const document = controllerOrMethod(controllers, url);
    if (!document) {
      throw new Error(`${url} is neither an official context nor given with the request`);
    }
    return {contextUrl: null, documentUrl: url, document};
  };
}

// controllerOrMethod is a controller's document, or the one of its keys that
// the fragment names.
function controllerOrMethod(controllers, url) {
  const [base, fragment] = url.split('#');
  if (!Object.hasOwn(controllers, base)) {
    return undefined;
  }
  const document = JSON.parse(controllers[base]);
  if (fragment === undefined) {
    return document;
  }
  const method = (document.verificationMethod ?? []).find(m => m.id === url);
  return method && {'@context': 'https://w3id.org/security/multikey/v1', ...method};
}

// readContexts reads the table of the folder's index: file, then what it is
// with its address.
function readContexts(folder) {
  const found = new Map();
  for (const line of readFileSync(join(folder, 'INDEX.md'), 'utf8').split('\n')) {
    const row = line.match(/^\| (contexts\/\S+) \|[^|]*?\bURL (https:[^\s;)]+)/);
    if (row) {
      found.set(row[2], JSON.parse(readFileSync(join(folder, row[1]), 'utf8')));
    }
  }
  if (found.size === 0) {
    throw new Error(`no context is listed in ${folder}/INDEX.md`);
  }
  return found;
}
