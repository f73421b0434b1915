//! A server that speaks TLS itself. The certificate is for 127.0.0.1, signed by itself, and was made for these tests by
//! `openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 36500 -subj "/CN=sextant test"
//! -addext "subjectAltName=IP:127.0.0.1" -addext "basicConstraints=critical,CA:FALSE"`.

use crate::support::{PATIENCE, bundle};
use sextant_serve::{ServeError, Server, Settings};
use std::sync::mpsc;
use ureq::tls::{Certificate, RootCerts, TlsConfig};

fn file(name: &str) -> String {
    format!("{}/tests/tls/{name}", env!("CARGO_MANIFEST_DIR"))
}

#[test]
fn a_server_with_a_certificate_answers_those_who_trust_it() {
    let place = bundle();
    let mut settings = Settings::default();
    settings.set("listen=127.0.0.1:0");
    settings.set(&format!("models=[\"main={}\"]", place.path().display()));
    settings.set(&format!("tls_certificate={}", file("certificate.pem")));
    settings.set(&format!("tls_key={}", file("key.pem")));
    let config = settings.resolve().unwrap();
    let (tell, told) = mpsc::channel();
    let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
    let thread = std::thread::spawn(move || {
        tokio::runtime::Runtime::new().unwrap().block_on(async move {
            let server = Server::bind(config).await.unwrap();
            tell.send(server.address()).unwrap();
            server.run(async { drop(stopped.await) }).await
        })
    });
    let address = told.recv_timeout(PATIENCE).unwrap();
    let trusted = Certificate::from_pem(&std::fs::read(file("certificate.pem")).unwrap()).unwrap();
    let agent = |roots: RootCerts| -> ureq::Agent {
        let tls = TlsConfig::builder().root_certs(roots).build();
        ureq::Agent::config_builder().tls_config(tls).timeout_global(Some(PATIENCE)).build().into()
    };
    let health = format!("https://{address}/health");
    let answer = agent(RootCerts::new_with_certs(&[trusted])).get(&health).call().unwrap();
    assert_eq!(answer.status(), 200);
    // A client that does not know the certificate goes away, and the server goes on.
    assert!(agent(RootCerts::WebPki).get(&health).call().is_err());
    drop(stop);
    thread.join().unwrap().unwrap();
}

/// The error of a server with these files.
fn refused(certificate: &str, key: &str) -> String {
    let mut settings = Settings::default();
    settings.set("models=[\"main=.\"]");
    settings.set(&format!("tls_certificate={certificate}"));
    settings.set(&format!("tls_key={key}"));
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let refused = runtime.block_on(Server::bind(settings.resolve().unwrap()));
    let error = refused.err().unwrap();
    assert!(matches!(error, ServeError::Tls(_)), "{error}");
    error.to_string()
}

#[test]
fn files_that_cannot_be_used_are_told() {
    let place = tempfile::tempdir().unwrap();
    let text = place.path().join("text.pem");
    std::fs::write(&text, "no certificate\n").unwrap();
    let text = text.display().to_string();
    let error = refused(&file("none.pem"), &file("key.pem"));
    assert!(error.contains("none.pem"), "{error}");
    let error = refused(&text, &file("key.pem"));
    assert!(error.contains("text.pem: there is no certificate in it"), "{error}");
    let error = refused(&file("certificate.pem"), &text);
    assert!(error.contains("text.pem") && error.contains("PEM"), "{error}");
    let error = refused(&file("certificate.pem"), &file("other-key.pem"));
    assert!(error.contains("other-key.pem: the key does not belong"), "{error}");
}
