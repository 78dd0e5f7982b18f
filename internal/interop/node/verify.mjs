// Digital Bazaar's verifier, one request a line:
//   {document, controllers: {url: document}, now?} -> {proofs: [...], error?}
//   {..., time: "issue" | "verify", seed?, method?} -> {ns, error?}
//   {..., sign: suite, key, mandatory?} or {..., derive: pointers} -> {document, error?}
//   {..., sign: suite, key, challenge, domain}: a presentation, signed for somebody
//   {..., challenge, domain}: a presentation, verified by them
//   {..., canonize: true} -> {document, error?}: its canonical N-Quads, of jsonld.js
// Documents travel as text, so that what is checked is byte for byte what was
// sent. It is run behind common.mjs, as one text.
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
import jsonld from 'jsonld';

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

// answer never throws: what cannot be read is an answer too.
async function answer(line) {
  try {
    const {document, controllers, now, time, seed, method, sign, key, mandatory, derive, challenge, domain, canonize} = JSON.parse(line);
    const documentLoader = loader(controllers ?? {});
    const purpose = new jsigs.purposes.AssertionProofPurpose();
    if (canonize) {
      return {document: await jsonld.canonize(JSON.parse(document), {algorithm: 'RDFC-1.0', format: 'application/n-quads', safe: true, documentLoader})};
    }
    if (sign) {
      const pair = await (sign.startsWith('ecdsa') ? EcdsaMultikey : Ed25519Multikey).from(key);
      const suite = signers[sign](pair.signer(), mandatory ?? []);
      if (challenge) {
        return {document: JSON.stringify(await vc.signPresentation({presentation: JSON.parse(document), suite, challenge, domain, documentLoader}))};
      }
      return {document: JSON.stringify(await jsigs.sign(JSON.parse(document), {suite, purpose, documentLoader}))};
    }
    if (derive) {
      const suite = new DataIntegrityProof({cryptosuite: sd.createDiscloseCryptosuite({selectivePointers: derive})});
      return {document: JSON.stringify(await jsigs.derive(JSON.parse(document), {suite, purpose, documentLoader}))};
    }
    if (time) {
      return {ns: await measure(time, {document, documentLoader, seed, method})};
    }
    if (challenge) {
      return {proofs: await verifyPresentation({document, challenge, domain, documentLoader, now, suites, vc})};
    }
    return {proofs: await verifyAll({document, documentLoader, now, suites, vc})};
  } catch (error) {
    return {proofs: [], error: message(error)};
  }
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

await serve(answer);
