//! The document as one HTML file that needs nothing else: no script, no network.

use super::Document;
use crate::LabError;
use minijinja::syntax::SyntaxConfig;
use minijinja::value::Serde;
use minijinja::{AutoEscape, Environment};

const TEMPLATE: &str = include_str!("report.html.jinja");

impl Document {
    /// The document as HTML.
    pub fn to_html(&self) -> Result<String, LabError> {
        let mut environment = Environment::new();
        environment.set_auto_escape_callback(|_| AutoEscape::Html);
        let failed = |error: minijinja::Error| LabError::Template(format!("{error:#}"));
        let syntax = SyntaxConfig::builder().trim_blocks(true).lstrip_blocks(true).build();
        environment.set_syntax(syntax.map_err(failed)?);
        environment.add_template("report.html", TEMPLATE).map_err(failed)?;
        let template = environment.get_template("report.html").map_err(failed)?;
        template.render(Serde(self)).map_err(failed)
    }
}
