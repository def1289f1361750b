//! Checks of requests before what stands behind a method is called: required parameters, and bodies against models.

mod builder;
mod config;
mod layer;
mod model;
mod parameters;
mod recursion;
mod validator;
mod violations;

pub use self::builder::ValidatorBuilder;
pub use self::config::ValidatorConfig;
pub use self::layer::ValidationLayer;
pub use self::model::{Model, Models};
pub use self::validator::Validator;
