//! Until when the certificates are good that addresses show.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use haechi_base::Time;
use haechi_continuity::model::examination::CertificateFacts;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, aws_lc_rs};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{ClientConfig, DigitallySignedStruct, Error, SignatureScheme};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::TlsConnector;

/// How long an address may take to show its certificate.
const ANSWER_WAIT: Duration = Duration::from_secs(5);

/// What PostgreSQL is sent before TLS begins (SSLRequest), and what it says when it agrees.
const SSL_REQUEST: [u8; 8] = [0, 0, 0, 8, 4, 210, 22, 47];
const SSL_AGREED: u8 = b'S';

/// How TLS begins at an address.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Beginning {
    /// At once.
    Tls,
    /// Once PostgreSQL was asked for it.
    Postgres,
}

/// Looks at the certificate of `host:port`.
pub(super) async fn look(of: String, address: String, beginning: Beginning) -> CertificateFacts {
    let looked = timeout(ANSWER_WAIT, expires_at(&address, beginning)).await;
    let expires_at = match looked {
        Ok(looked) => looked.map_err(|error| format!("{error:#}")),
        Err(_) => Err(format!("{address} does not answer")),
    };
    CertificateFacts { of, expires_at }
}

async fn expires_at(address: &str, beginning: Beginning) -> Result<Time> {
    let mut stream = TcpStream::connect(address)
        .await
        .with_context(|| address.to_owned())?;
    if beginning == Beginning::Postgres {
        stream.write_all(&SSL_REQUEST).await?;
        if stream.read_u8().await? != SSL_AGREED {
            bail!("{address} does not encrypt");
        }
    }
    let provider = Arc::new(aws_lc_rs::default_provider());
    let shown = Arc::new(Shown {
        provider: Arc::clone(&provider),
        certificate: Mutex::new(None),
    });
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()?
        .dangerous()
        .with_custom_certificate_verifier(Arc::clone(&shown) as _)
        .with_no_client_auth();
    let host = address.rsplit_once(':').map_or(address, |(host, _)| host);
    let name = ServerName::try_from(host.trim_matches(['[', ']']).to_owned())?;
    // Whether the rest succeeds does not matter: one that wants ours too has shown its own before.
    let connected = TlsConnector::from(Arc::new(config)).connect(name, stream).await;
    let certificate = shown
        .certificate
        .lock()
        .unwrap_or_else(PoisonError::into_inner)
        .take();
    match (certificate, connected) {
        (Some(certificate), _) => end_of(&certificate),
        (None, Err(error)) => Err(error).with_context(|| address.to_owned()),
        (None, Ok(_)) => bail!("{address} shows no certificate"),
    }
}

/// The end of a certificate in DER (RFC 5280 section 4.1.2.5).
fn end_of(certificate: &[u8]) -> Result<Time> {
    let (_, certificate) = x509_parser::parse_x509_certificate(certificate)?;
    let seconds = certificate.validity().not_after.timestamp();
    Ok(Time::from_micros(seconds.saturating_mul(1_000_000)))
}

/// Takes any certificate and keeps it: one that is over is to be told of, not refused. Nothing is sent to who showed it.
#[derive(Debug)]
struct Shown {
    provider: Arc<CryptoProvider>,
    certificate: Mutex<Option<Vec<u8>>>,
}

impl ServerCertVerifier for Shown {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        let mut certificate = self.certificate.lock().unwrap_or_else(PoisonError::into_inner);
        *certificate = Some(end_entity.to_vec());
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn verify_tls13_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider
            .signature_verification_algorithms
            .supported_schemes()
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use rcgen::{CertificateParams, KeyPair};
    use rustls::ServerConfig;
    use rustls::pki_types::PrivateKeyDer;
    use tokio::net::TcpListener;
    use tokio_rustls::TlsAcceptor;

    use super::*;

    /// A server whose certificate ends at the beginning of 2031; like PostgreSQL it may want to be asked first.
    async fn server(beginning: Beginning) -> String {
        let key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::new(vec!["localhost".to_owned()]).unwrap();
        params.not_after = rcgen::date_time_ymd(2031, 1, 1);
        let certificate = params.self_signed(&key).unwrap().der().clone();
        let key = PrivateKeyDer::try_from(key.serialize_der()).unwrap();
        let config = ServerConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(vec![certificate], key)
            .unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap().to_string();
        tokio::spawn(async move {
            let (mut stream, _) = listener.accept().await.unwrap();
            if beginning == Beginning::Postgres {
                let mut asked = [0; 8];
                stream.read_exact(&mut asked).await.unwrap();
                assert_eq!(asked, SSL_REQUEST);
                stream.write_u8(SSL_AGREED).await.unwrap();
            }
            drop(TlsAcceptor::from(Arc::new(config)).accept(stream).await);
        });
        address
    }

    #[tokio::test]
    async fn the_end_of_a_certificate_is_read_though_nobody_vouches_for_it() {
        for beginning in [Beginning::Tls, Beginning::Postgres] {
            let address = server(beginning).await;
            let seen = look("a test".to_owned(), address, beginning).await;
            assert_eq!(seen.expires_at.unwrap().seconds(), 1_924_992_000, "{beginning:?}");
        }
    }

    #[tokio::test]
    async fn who_shows_no_certificate_is_told_with_the_reason() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap().to_string();
        tokio::spawn(async move {
            let (mut stream, _) = listener.accept().await.unwrap();
            stream.write_all(b"N").await.unwrap();
        });
        let seen = look("a test".to_owned(), address, Beginning::Postgres).await;
        assert!(seen.expires_at.unwrap_err().contains("does not encrypt"));
    }
}
