//! Issuers that stand in for those that definitions name.

use std::path::{Path, PathBuf};

use serde_json::Value;

use super::reader::{Object, Reader};
use crate::auth::ConfigError;
use crate::auth::jwt::{Algorithm, Issuer, IssuerBuilder, KeySet};

/// An issuer that stands in for the one that a definition names.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct IssuerConfig {
    /// What its tokens say as `iss`. Default: the name in the definition.
    pub issuer: Option<String>,
    /// Where its key set is. Default: where its description, below its name, says.
    pub jwks_uri: Option<String>,
    /// A file with its key set, which is read once, instead.
    pub jwks: Option<PathBuf>,
    /// The algorithms that are accepted. Default: what the definition or the service says.
    pub algorithms: Vec<String>,
}

/// An address, or an object.
pub(super) fn issuer(
    name: &str,
    item: &Value,
    path: &str,
    reader: &mut Reader,
) -> Option<IssuerConfig> {
    let config = fields(item, path, reader)?;
    for (field, message) in config.build(name, None).err().into_iter().flatten() {
        // An address stands for the whole.
        let place = match item {
            Value::String(_) => path.to_owned(),
            _ => format!("{path}/{field}"),
        };
        reader.fault(place, message);
    }
    Some(config)
}

fn fields(item: &Value, path: &str, reader: &mut Reader) -> Option<IssuerConfig> {
    let mut config = IssuerConfig::default();
    if let Some(address) = item.as_str() {
        config.issuer = Some(address.to_owned());
        return Some(config);
    }
    let fields = ["issuer", "jwksUri", "jwks", "algorithms"];
    let object: Object<'_> = reader.object(item, path, &fields)?;
    config.issuer = reader.text(object, "issuer").map(str::to_owned);
    config.jwks_uri = reader.text(object, "jwksUri").map(str::to_owned);
    config.jwks = reader.text(object, "jwks").map(PathBuf::from);
    config.algorithms = reader.texts(object, "algorithms");
    if config.jwks_uri.is_some() && config.jwks.is_some() {
        reader.fault(path, "has both `jwksUri` and `jwks`; leave one out");
        return None;
    }
    Some(config)
}

impl IssuerConfig {
    /// The issuer that stands in for `named`; without a folder, none that needs a file. Everything that is wrong comes with the field that it is about.
    pub(super) fn build(
        &self,
        named: &str,
        folder: Option<&Path>,
    ) -> Result<Option<IssuerBuilder>, Vec<(String, String)>> {
        let mut faults = Vec::new();
        let mut algorithms = Vec::new();
        for (index, name) in self.algorithms.iter().enumerate() {
            match name.parse::<Algorithm>() {
                Ok(algorithm) => algorithms.push(algorithm),
                Err(error) => {
                    faults.push(wrong(format!("algorithms/{index}"))(error));
                }
            }
        }
        let issuer = self.issuer(named, folder, &algorithms);
        match issuer {
            Ok(issuer) if faults.is_empty() => {
                return Ok(issuer.map(|issuer| issuer.algorithms(algorithms)));
            }
            Ok(_) => {}
            Err(fault) => faults.push(fault),
        }
        Err(faults)
    }

    fn issuer(
        &self,
        named: &str,
        folder: Option<&Path>,
        algorithms: &[Algorithm],
    ) -> Result<Option<IssuerBuilder>, (String, String)> {
        // A pool's ARN is no issuer; its tokens name another.
        let pool = || Issuer::user_pool(named).map(|pool| pool.name().to_owned());
        let name = match &self.issuer {
            Some(issuer) => issuer.clone(),
            None if named.starts_with("arn:") => pool().map_err(wrong("issuer"))?,
            None => named.to_owned(),
        };
        if let Some(uri) = &self.jwks_uri {
            let issuer = Issuer::with_jwks(&name, uri);
            return issuer.map(Some).map_err(wrong("jwksUri"));
        }
        let Some(path) = &self.jwks else {
            return Issuer::discover(&name).map(Some).map_err(wrong("issuer"));
        };
        let Some(path) = folder.map(|folder| folder.join(path)) else {
            return Ok(None);
        };
        let shown = path.display();
        let text = std::fs::read_to_string(&path)
            .map_err(|error| ("jwks".to_owned(), format!("cannot read {shown}: {error}")))?;
        let keys = KeySet::from_jwks(&text).map_err(wrong("jwks"))?;
        if !algorithms.is_empty() && !algorithms.iter().any(|own| keys.serves(*own)) {
            let message = format!("fit none of the keys in {shown}: no token would do");
            return Err(("algorithms".to_owned(), message));
        }
        Issuer::given(&name, keys).map(Some).map_err(wrong("jwks"))
    }
}

/// What is wrong with a field.
fn wrong(field: impl Into<String>) -> impl FnOnce(ConfigError) -> (String, String) {
    let field = field.into();
    move |error| (field, format!("{}; {}", error.problem(), error.fix()))
}
