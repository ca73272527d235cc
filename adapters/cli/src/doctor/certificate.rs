//! What a certificate says, for people.

use std::net::IpAddr;
use std::time::{Duration, SystemTime};

use rustls::pki_types::CertificateDer;
use rustls::{CertificateError, Error};
use x509_parser::prelude::{FromDer as _, GeneralName, X509Certificate};

use super::report::Problem;

/// A certificate that ends sooner than this is worth a word.
const SOON: Duration = Duration::from_secs(7 * 86_400);

/// Names that are shown of a certificate.
const NAMES: usize = 4;

/// Whose it is, who says so, and until when it is good.
pub(super) fn describe(der: &CertificateDer<'_>) -> String {
    let Ok((_, certificate)) = X509Certificate::from_der(der) else { return "one that cannot be read".to_owned() };
    let until = date(certificate.validity().not_after.timestamp());
    format!("that of {}, issued by {}, valid until {until}", names(&certificate), certificate.issuer())
}

fn names(certificate: &X509Certificate<'_>) -> String {
    let all = certificate.subject_alternative_name().ok().flatten();
    let all: Vec<String> =
        all.map_or_else(Vec::new, |names| names.value.general_names.iter().filter_map(name).collect());
    match all.len() {
        0 => certificate.subject().to_string(),
        1..=NAMES => all.join(", "),
        more => format!("{} and {} more", all[..NAMES].join(", "), more - NAMES),
    }
}

fn name(name: &GeneralName<'_>) -> Option<String> {
    match name {
        GeneralName::DNSName(name) => Some((*name).to_owned()),
        GeneralName::IPAddress(bytes) => {
            let four = <[u8; 4]>::try_from(*bytes).ok().map(IpAddr::from);
            four.or_else(|| <[u8; 16]>::try_from(*bytes).ok().map(IpAddr::from)).map(|address| address.to_string())
        }
        _ => None,
    }
}

/// A word about one that ends soon.
pub(super) fn ends_soon(der: &CertificateDer<'_>) -> Option<Problem> {
    let (_, certificate) = X509Certificate::from_der(der).ok()?;
    let until = certificate.validity().not_after.timestamp();
    let left = time(until).duration_since(SystemTime::now()).unwrap_or_default();
    let what = format!("the certificate is valid until {} only", date(until));
    (left < SOON).then(|| Problem::new(what, "the server's operator has to renew it").minor())
}

/// Why it is not accepted.
pub(super) fn refused(host: &str, error: &std::io::Error, shown: Option<&CertificateDer<'_>>) -> Problem {
    let seen = shown.map_or_else(String::new, |der| format!("; the certificate is {}", describe(der)));
    let why = error.get_ref().and_then(|inner| inner.downcast_ref::<Error>());
    let Some(Error::InvalidCertificate(why)) = why else {
        let what = format!("the TLS handshake with {host} failed: {error}{seen}");
        return Problem::new(
            what,
            "check that the port speaks TLS, and that no firewall or proxy on the way breaks it",
        );
    };
    let (what, mend) = match why {
        CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. } => (
            format!("the certificate is of another host, not of {host}"),
            "check RC_SERVER_URL; if the address is right, a proxy or a wrong DNS entry leads to another server",
        ),
        CertificateError::Expired | CertificateError::ExpiredContext { .. } => (
            "the certificate has expired, or the clock of this machine is ahead".to_owned(),
            "set the clock of this machine right; if it is, the server's operator has to renew the certificate",
        ),
        CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. } => (
            "the certificate is not valid yet, or the clock of this machine is behind".to_owned(),
            "set the clock of this machine right",
        ),
        CertificateError::UnknownIssuer => (
            "nobody here trusts who issued the certificate".to_owned(),
            "if a company's proxy makes certificates of its own, give its CA with --ca-file FILE or SSL_CERT_FILE; \
             otherwise do not go on, somebody may read along",
        ),
        other => (format!("the certificate is not accepted: {other:?}"), "check RC_SERVER_URL and the proxy"),
    };
    Problem::new(format!("{what}{seen}"), mend)
}

fn time(unix: i64) -> SystemTime {
    SystemTime::UNIX_EPOCH + Duration::from_secs(u64::try_from(unix).unwrap_or(0))
}

fn date(unix: i64) -> String {
    // The date of HTTP has a year of four digits: later ones are as good as for ever.
    const LAST: i64 = 253_402_300_799;
    httpdate::fmt_http_date(time(unix.min(LAST)))
}
