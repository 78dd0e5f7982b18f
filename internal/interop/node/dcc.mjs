// The verifier of the Digital Credentials Consortium, one request a line:
//   {document, controllers: {url: document}, now?} -> {proofs: [...], error?}
//   {..., core: true} -> {log: {step: valid}, error?}: what its wallets and
//     verifier pages call, which has a clock and a document loader of its own
//   {..., sign: suite, key} -> {document, error?}
//   {..., sign: suite, key, challenge, domain}: a presentation, signed for somebody
//   {..., challenge, domain}: a presentation, verified by them
//   {..., list: document} -> {proofs: [one], error?}: whether a status list, as it
//     was fetched, says that a credential stands
// It is run behind common.mjs, as one text.
import * as dccMultikey from '@digitalcredentials/ed25519-multikey';
import * as dccVC from '@digitalcredentials/vc';
import dccSignatures from '@digitalcredentials/jsonld-signatures';
import {DataIntegrityProof as DccProof} from '@digitalcredentials/data-integrity';
import {Ed25519Signature2020 as Dcc2020} from '@digitalcredentials/ed25519-signature-2020';
import {cryptosuite as dccRDFC} from '@digitalcredentials/eddsa-rdfc-2022-cryptosuite';
import {checkStatus} from '@digitalcredentials/vc-bitstring-status-list';
import {verifyCredential as coreVerify} from '@digitalcredentials/verifier-core';

const suites = {
  'eddsa-rdfc-2022': signer => new DccProof({signer, cryptosuite: dccRDFC}),
  'Ed25519Signature2020': signer => new Dcc2020({signer})
};

// The core fetches what it does not know; it gets what any loader here gives.
let offline = async url => { throw new Error(`${url} is asked of nobody here`); };
globalThis.fetch = async request => {
  const url = typeof request === 'string' ? request : request.url ?? String(request);
  try {
    const {document} = await offline(url);
    return new Response(JSON.stringify(document), {status: 200, headers: {'content-type': 'application/json'}});
  } catch {
    return new Response('{}', {status: 404, headers: {'content-type': 'application/json'}});
  }
};

// answer never throws: what cannot be read is an answer too.
async function answer(line) {
  try {
    const {document, controllers, now, sign, key, core, challenge, domain, list} = JSON.parse(line);
    const documentLoader = loader(controllers ?? {});
    if (sign) {
      if (!suites[sign]) {
        throw new Error(`${sign} is a suite that is not signed by here`);
      }
      const pair = await dccMultikey.from(key);
      const purpose = new dccSignatures.purposes.AssertionProofPurpose();
      const suite = suites[sign](pair.signer());
      if (challenge) {
        return {document: JSON.stringify(await dccVC.signPresentation({presentation: JSON.parse(document), suite, challenge, domain, documentLoader}))};
      }
      return {document: JSON.stringify(await dccSignatures.sign(JSON.parse(document), {suite, purpose, documentLoader}))};
    }
    if (core) {
      offline = documentLoader;
      const result = await coreVerify({credential: JSON.parse(document), knownDIDRegistries: []});
      const log = Object.fromEntries((result.log ?? []).map(step => [step.id, step.valid === true]));
      return {log, error: (result.errors ?? []).map(e => `${e.name}: ${e.message}`).join('; ')};
    }
    if (challenge) {
      return {proofs: await verifyPresentation({document, challenge, domain, documentLoader, now, suites, vc: dccVC})};
    }
    if (list) {
      const credential = JSON.parse(document);
      const all = {...controllers, [credential.credentialStatus.statusListCredential]: list};
      const result = await checkStatus({
        credential, documentLoader: loader(all), suite: suites['eddsa-rdfc-2022'](), verifyBitstringStatusListCredential: true
      });
      return {proofs: [{at: '', id: '', cryptosuite: 'status', verified: result.verified === true, error: result.verified ? '' : message(result.error ?? result.results)}]};
    }
    return {proofs: await verifyAll({document, documentLoader, now, suites, vc: dccVC})};
  } catch (error) {
    return {proofs: [], error: message(error)};
  }
}

await serve(answer);
