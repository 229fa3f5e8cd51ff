//! What we send: the request for an authentication, and our own metadata.
//!
//! Lives here: writing both, and the redirect that carries a request (SAML Bindings, section 3.4). Never: reading.

use super::config::{SamlConfig, SubjectFrom};
use super::encryption::DecryptionKey;
use super::keys::SigningKey;
use super::names::{
    AES128_GCM, AES256_GCM, DS, HTTP_POST, MD, RSA_OAEP_MGF1P, RSA_SHA256, SAML, SAMLP,
};
use super::refusal::SamlRefused;
use super::response::is_id;
use super::time::written;
use super::xml::escaped;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use brattice_core::time::Timestamp;
use url::Url;
use url::form_urlencoded::Serializer;

/// Longest `RelayState` (SAML Bindings, section 3.4.3).
pub const RELAY_STATE_BYTES_MAX: usize = 80;

/// A person is to be sent to the provider.
#[derive(Debug, Clone, Copy)]
pub struct LoginRequest<'a> {
    /// What the response must answer: a letter or `_`, then letters, digits, `_`, `-` or `.`. Never used before and not
    /// to be guessed: `_` and 16 random bytes in hexadecimal digits.
    pub id: &'a str,
    /// Comes back with the response, from a browser's hands.
    pub relay_state: Option<&'a str>,
    /// The person has to authenticate again, whatever session there is at the provider.
    pub again: bool,
}

/// The address to send the browser to, signed when there is a key (SAML Bindings, section 3.4.4.1).
pub(super) fn redirect(
    config: &SamlConfig,
    sso_url: &str,
    key: Option<&SigningKey>,
    request: &LoginRequest<'_>,
    now: Timestamp,
) -> Result<String, SamlRefused> {
    if !is_id(request.id) {
        return Err(SamlRefused::Request("its id is not one of XML"));
    }
    let state_fits = |s: &str| s.len() <= RELAY_STATE_BYTES_MAX;
    if !request.relay_state.is_none_or(state_fits) {
        return Err(SamlRefused::Request(
            "its relay state is longer than 80 bytes",
        ));
    }
    let message = authn_request(config, sso_url, request, now);
    let mut query = Serializer::new(String::new());
    query.append_pair("SAMLRequest", &STANDARD.encode(stored(message.as_bytes())));
    if let Some(state) = request.relay_state {
        query.append_pair("RelayState", state);
    }
    if key.is_some() {
        query.append_pair("SigAlg", RSA_SHA256);
    }
    let mut query = query.finish();
    if let Some(key) = key {
        // The signature is over the query as it is written, and the last thing in it.
        let signature = key
            .sign(query.as_bytes())
            .ok_or(SamlRefused::Request("it cannot be signed"))?;
        query = Serializer::new(query)
            .append_pair("Signature", &STANDARD.encode(signature))
            .finish();
    }
    let mut url = Url::parse(sso_url).map_err(|_| SamlRefused::Request("no address"))?;
    let query = match url.query() {
        Some(before) if !before.is_empty() => format!("{before}&{query}"),
        _ => query,
    };
    url.set_query(Some(&query));
    Ok(url.into())
}

fn authn_request(
    config: &SamlConfig,
    sso_url: &str,
    request: &LoginRequest<'_>,
    now: Timestamp,
) -> String {
    let again = match request.again {
        true => " ForceAuthn=\"true\"",
        false => "",
    };
    // A name of another format than this could not be used.
    let policy = match &config.subject {
        SubjectFrom::NameId(format) => format!(
            "<samlp:NameIDPolicy Format=\"{}\" AllowCreate=\"true\"/>",
            format.uri()
        ),
        SubjectFrom::Attribute(_) => String::new(),
    };
    format!(
        "<samlp:AuthnRequest xmlns:samlp=\"{SAMLP}\" xmlns:saml=\"{SAML}\" ID=\"{}\" Version=\"2.0\" \
         IssueInstant=\"{}\" Destination=\"{}\" ProtocolBinding=\"{HTTP_POST}\" \
         AssertionConsumerServiceURL=\"{}\"{again}><saml:Issuer>{}</saml:Issuer>{policy}</samlp:AuthnRequest>",
        request.id,
        written(now),
        escaped(sso_url),
        escaped(&config.acs_url),
        escaped(&config.entity_id),
    )
}

/// The DEFLATE format without compression (RFC 1951, section 3.2.4): a request is a few hundred bytes.
fn stored(bytes: &[u8]) -> Vec<u8> {
    const BLOCK_BYTES_MAX: usize = u16::MAX as usize;
    let mut out = Vec::with_capacity(bytes.len().saturating_add(5));
    let mut blocks = bytes.chunks(BLOCK_BYTES_MAX).peekable();
    while let Some(block) = blocks.next() {
        let length = u16::try_from(block.len()).unwrap_or(u16::MAX);
        out.push(u8::from(blocks.peek().is_none()));
        out.extend(length.to_le_bytes());
        out.extend((!length).to_le_bytes());
        out.extend(block);
    }
    out
}

/// Our metadata, for the provider's operator.
pub(super) fn metadata(
    config: &SamlConfig,
    decryption: &[DecryptionKey],
    signing: Option<&SigningKey>,
) -> String {
    let methods: String = [AES256_GCM, AES128_GCM, RSA_OAEP_MGF1P]
        .iter()
        .map(|m| format!("<md:EncryptionMethod Algorithm=\"{m}\"/>"))
        .collect();
    let signs = signing.map_or(String::new(), |k| descriptor("signing", &k.certificate, ""));
    let decrypts = decryption.first().map_or(String::new(), |k| {
        descriptor("encryption", &k.certificate, &methods)
    });
    let format = match &config.subject {
        SubjectFrom::NameId(format) => {
            format!("<md:NameIDFormat>{}</md:NameIDFormat>", format.uri())
        }
        SubjectFrom::Attribute(_) => String::new(),
    };
    format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<md:EntityDescriptor xmlns:md=\"{MD}\" entityID=\"{}\">\
         <md:SPSSODescriptor AuthnRequestsSigned=\"{}\" WantAssertionsSigned=\"true\" \
         protocolSupportEnumeration=\"{SAMLP}\">{signs}{decrypts}{format}<md:AssertionConsumerService \
         Binding=\"{HTTP_POST}\" Location=\"{}\" index=\"0\" isDefault=\"true\"/></md:SPSSODescriptor>\
         </md:EntityDescriptor>\n",
        escaped(&config.entity_id),
        signing.is_some(),
        escaped(&config.acs_url),
    )
}

fn descriptor(purpose: &str, certificate: &[u8], methods: &str) -> String {
    let certificate = STANDARD.encode(certificate);
    format!(
        "<md:KeyDescriptor use=\"{purpose}\"><ds:KeyInfo xmlns:ds=\"{DS}\"><ds:X509Data><ds:X509Certificate>\
         {certificate}</ds:X509Certificate></ds:X509Data></ds:KeyInfo>{methods}</md:KeyDescriptor>"
    )
}
