//! Checks names of backbones and the folders that they are resolved to.

use sextant_hub::{
    Client, DownloadEvent, DownloadObserver, HubError, Store, find, known, may_be_same, public_name,
};
use std::ops::ControlFlow;
use std::time::Duration;

/// An observer that fails the test if a download begins.
struct Nothing;

impl DownloadObserver for Nothing {
    fn on_event(&mut self, event: DownloadEvent<'_>) -> ControlFlow<()> {
        panic!("{event:?}");
    }
}

#[test]
fn a_name_is_a_folder_a_fetched_backbone_or_an_error_that_helps() {
    let place = tempfile::tempdir().unwrap();
    let store = Store::new(place.path().join("backbones"));
    let own = place.path().display().to_string();
    assert_eq!(store.resolve(&own).unwrap(), place.path());

    let bert = find("bert-base").unwrap();
    assert!(!store.has(bert));
    for name in ["bert-base", "google-bert/bert-base-uncased"] {
        let error = store.resolve(name).unwrap_err();
        assert!(matches!(&error, HubError::NotFetched { name } if name == "bert-base"), "{error}");
        assert!(error.to_string().contains("sextant get bert-base"), "{error}");
    }
    let folder = store.folder(bert);
    std::fs::create_dir_all(&folder).unwrap();
    for file in ["config.json", "tokenizer.json", "model.safetensors"] {
        std::fs::write(folder.join(file), "").unwrap();
    }
    assert!(store.has(bert));
    for name in ["bert-base", "google-bert/bert-base-uncased"] {
        assert_eq!(store.resolve(name).unwrap(), folder);
    }
    let error = store.resolve("no-such").unwrap_err().to_string();
    assert!(error.contains("`no-such`") && error.contains("minilm"), "{error}");
    assert!(matches!(find("no-such"), Err(HubError::Unknown { .. })));
}

#[test]
fn weights_with_terms_are_not_fetched_before_they_are_accepted() {
    let place = tempfile::tempdir().unwrap();
    let store = Store::new(place.path().join("backbones"));
    let client = Client::new("http://127.0.0.1:9", None, Duration::from_secs(1));
    let asking: Vec<_> = known().iter().filter(|known| known.terms.is_some()).collect();
    assert!(!asking.is_empty());
    for known in asking {
        let error = store.get(known, false, &client, &mut Nothing).unwrap_err();
        assert!(matches!(error, HubError::Terms { .. }), "{error}");
        assert!(!store.folder(known).exists());
    }
}

#[test]
fn known_names_are_those_of_the_hub_where_they_have_one() {
    assert_eq!(public_name("bert-base"), "google-bert/bert-base-uncased");
    assert_eq!(public_name("minilm"), "minilm");
    assert!(may_be_same("bert-base", "/models/bert-base-uncased/"));
    assert!(may_be_same("Owner/Name", "name"));
    assert!(!may_be_same("bert-base", "roberta-base"));
}
