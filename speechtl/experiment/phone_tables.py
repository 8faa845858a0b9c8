"""The phone tables of an experiment, without loading its model."""

from pathlib import Path

from speechtl.config import read_toml


def phone_tables(experiment: str | Path) -> dict[str, Path]:
    """Return the files of an experiment's phones: by head, and by language where several languages share a head."""
    experiment = Path(experiment)
    tables = {path.stem: path for path in sorted((experiment / "phones").glob("*.txt"))}
    config = experiment / "config.toml"
    for data in read_toml(config).get("data", []) if config.is_file() else ():
        if data.get("head") in tables:
            tables[data.get("language", "und")] = tables[data["head"]]
    return tables
