//! The attributes of products and their values. Queries ask for these values, and for brands.
//!
//! A value is a list of equivalent surface names, of which the first is canonical. A test makes sure that no
//! surface name has two meanings anywhere in the catalogue, so that the truth is exact.

/// A named property and its possible values.
#[derive(Debug)]
pub(super) struct Attribute {
    /// The property's name, as in [`sextant_core::Product::attributes`].
    pub(super) name: &'static str,
    /// The values, each a list of equivalent surface names with the canonical name first.
    pub(super) values: &'static [&'static [&'static str]],
}

pub(super) static COLOR: Attribute = Attribute {
    name: "color",
    values: &[
        &["black", "blk"],
        &["white", "wht"],
        &["red", "crimson"],
        &["blue", "navy"],
        &["green"],
        &["grey", "gray"],
        &["beige", "cream"],
        &["purple", "violet"],
    ],
};

pub(super) static SIZE: Attribute = Attribute {
    name: "size",
    values: &[&["small", "sm"], &["medium", "med"], &["large", "lg"], &["xl", "extra large"]],
};

pub(super) static VOLTAGE: Attribute = Attribute {
    name: "voltage",
    values: &[
        &["12v", "12 volt"],
        &["18v", "18 volt"],
        &["24v", "24 volt"],
        &["40v", "40 volt"],
        &["60v", "60 volt"],
    ],
};

pub(super) static METAL: Attribute = Attribute {
    name: "material",
    values: &[
        &["stainless steel", "stainless"],
        &["cast iron"],
        &["aluminum", "aluminium"],
        &["copper"],
        &["titanium"],
    ],
};

pub(super) static FABRIC: Attribute = Attribute {
    name: "material",
    values: &[&["cotton"], &["wool", "woolen"], &["leather"], &["polyester", "poly"], &["suede"]],
};

pub(super) static WOOD: Attribute = Attribute {
    name: "material",
    values: &[
        &["oak", "oakwood"],
        &["walnut"],
        &["pine", "pinewood"],
        &["bamboo"],
        &["teak", "teakwood"],
    ],
};

pub(super) static CAPACITY: Attribute = Attribute {
    name: "capacity",
    values: &[
        &["1l", "1 liter"],
        &["2l", "2 liter"],
        &["3l", "3 liter"],
        &["5l", "5 liter"],
        &["8l", "8 liter"],
    ],
};

pub(super) static COUNT: Attribute = Attribute {
    name: "count",
    values: &[
        &["2 pack", "pack of 2"],
        &["3 pack", "pack of 3"],
        &["4 pack", "pack of 4"],
        &["6 pack", "pack of 6"],
        &["12 pack", "pack of 12"],
    ],
};

pub(super) static CONNECTION: Attribute = Attribute {
    name: "connection",
    values: &[&["wireless", "bluetooth"], &["wired", "corded"], &["usb"]],
};

pub(super) static STORAGE: Attribute = Attribute {
    name: "storage",
    values: &[&["64gb", "64 gb"], &["128gb", "128 gb"], &["256gb", "256 gb"], &["512gb", "512 gb"]],
};

pub(super) static LENGTH: Attribute = Attribute {
    name: "length",
    values: &[
        &["3ft", "3 foot"],
        &["6ft", "6 foot"],
        &["10ft", "10 foot"],
        &["25ft", "25 foot"],
        &["50ft", "50 foot"],
    ],
};
