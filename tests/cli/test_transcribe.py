from command_line import command_tree

from speechtl.recognition.results import WRITERS


def test_every_output_format_can_be_asked_for():
    parameters = command_tree().commands["transcribe"].params
    (option,) = [parameter for parameter in parameters if "--format" in parameter.opts]
    assert list(option.type.choices) == list(WRITERS)
