"""A folder uploaded to the Hugging Face hub, by its own library."""

from __future__ import annotations

from pathlib import Path

from lasasr.artifacts import hub
from lasasr.errors import LasasrError, UsageError

CARD = "README.md"


def refuse_missing_library() -> None:
    """Say now that huggingface_hub is not installed.

    Raises:
        LasasrError: it is not.
    """
    try:
        import huggingface_hub  # noqa: F401
    except ImportError:
        raise LasasrError("the hub needs huggingface_hub: pip install 'lasasr[hub]'") from None


def upload(folder: Path, name: str, private: bool) -> str:
    """Make a repository of the hub hold what is in `folder`, in one commit; return its address.

    The address of the hub is that of the variable HF_ENDPOINT, the token that of `hf auth login` or HF_TOKEN. Files of
    a bundle that are there and not in `folder` are deleted: beside the new SHA256SUMS no bundle could be read.

    Args:
        name: user/model; it is made where it is not there.
        private: of one that is made: whether others cannot see it.

    Raises:
        LasasrError: it cannot be made or written; the message holds no token and says how to go on.
        UsageError: it should be private and is there already, for all to see.
    """
    import huggingface_hub

    token = huggingface_hub.get_token()
    again = f"the folder is kept; go on with: hf auth login; hf upload {name} {folder}"
    if token is None:
        raise LasasrError(f"{name} is not uploaded: there is no token of the hub; {again}")
    api = huggingface_hub.HfApi(token=token, library_name="lasasr")
    try:
        address = api.create_repo(name, private=private or None, exist_ok=True)
        if private and not api.model_info(name).private:
            raise UsageError(f"--private, but {name} is there already and public")
        api.upload_folder(
            repo_id=name,
            folder_path=folder,
            commit_message="Upload with lasasr",
            delete_patterns=list(hub.PATTERNS),
        )
    except UsageError:
        raise
    except Exception as error:  # of huggingface_hub, and of the network below it
        reason = " ".join(str(error).replace(token, "(token)").split())[:300]
        raise LasasrError(f"{name} is not uploaded ({type(error).__name__}: {reason}); {again}") from None
    return str(address)
