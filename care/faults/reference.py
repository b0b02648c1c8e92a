"""References of faults: "F-7K3Q9"."""

from provisioning import spoken_reference


def new_reference() -> str:
    return spoken_reference.new_reference("F")


def read_reference(text: str) -> str:
    """As people say it: "f-7k3q9", "7K3 Q9". Raises InvalidValue."""
    return spoken_reference.read_reference("F", text, what="fault")
