//! Proves a key and its certificates before anything is signed with them: a picture of one pixel is signed and verified.
//!
//! Comparing the two public keys would need a parser for every kind of key; signing and verifying is the same for all,
//! and also finds certificates that C2PA does not accept (specification 2.2, section 14.5.1).

use std::io::Cursor;

use c2pa::{Builder, Reader, Signer, validation_status};
use image::{ImageFormat, RgbImage};
use serde_json::json;

use crate::error::one_line;
use crate::fault::Fault;
use crate::settings::context;

const FORMAT: &str = "image/png";

/// Whether what `signer` signs is valid to those who verify it. Takes a few milliseconds; RSA keys take some tens.
pub(crate) fn prove(signer: &dyn Signer) -> Result<(), Fault> {
    let reasons = attempt(signer).unwrap_or_else(|error| vec![one_line(&error.to_string())]);
    if reasons.iter().any(|code| code == validation_status::CLAIM_SIGNATURE_MISMATCH) {
        return Err(Fault::Mismatch);
    }
    if reasons.is_empty() {
        return Ok(());
    }
    Err(Fault::Certificates(format!(
        "its first certificate may not sign Content Credentials ({}); C2PA asks for the key usage digitalSignature and an extended key usage such as emailProtection",
        reasons.join(", ")
    )))
}

/// The validation codes of what was signed that failed.
fn attempt(signer: &dyn Signer) -> c2pa::Result<Vec<String>> {
    let mut picture = Cursor::new(Vec::new());
    RgbImage::new(1, 1)
        .write_to(&mut picture, ImageFormat::Png)
        .map_err(|error| c2pa::Error::OtherError(Box::new(error)))?;
    let definition = json!({
        "claim_generator_info": [{ "name": "Gioconda", "version": env!("CARGO_PKG_VERSION") }],
        "format": FORMAT,
        "assertions": [{ "label": "c2pa.actions", "data": { "actions": [{
            "action": "c2pa.created",
            "digitalSourceType": "http://cv.iptc.org/newscodes/digitalsourcetype/algorithmicMedia",
        }] } }],
    });
    let mut signed = Cursor::new(Vec::new());
    picture.set_position(0);
    let mut builder = Builder::from_context(context()).with_definition(definition)?;
    builder.sign(signer, FORMAT, &mut picture, &mut signed)?;
    signed.set_position(0);
    let reader = Reader::from_context(context()).with_stream(FORMAT, &mut signed)?;
    let statuses = reader.validation_status().unwrap_or_default().iter();
    let failed = statuses.map(|status| status.code().to_owned());
    Ok(failed.filter(|code| code != validation_status::SIGNING_CREDENTIAL_UNTRUSTED).collect())
}
