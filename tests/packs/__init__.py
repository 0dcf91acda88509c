"""The shipped packs: 全国底包 and the four provinces over it."""
