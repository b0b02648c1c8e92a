import os
from pathlib import Path

import pytest

from offhook.exit_codes import CommandError, ExitCode
from offhook.paths import DataDir
from offhook.supervisor.lock import ExchangeLock


def test_a_second_exchange_on_one_data_directory_is_refused_by_name(tmp_path: Path) -> None:
    data = DataDir(tmp_path / "data")
    data.make()
    lock = ExchangeLock.take(data.lock_file)
    with pytest.raises(
        CommandError, match=rf"already running on {data.root} \(process {os.getpid()}\)"
    ) as refused:
        ExchangeLock.take(data.lock_file)
    assert refused.value.code is ExitCode.REFUSED
    lock.release()
    ExchangeLock.take(data.lock_file).release()
