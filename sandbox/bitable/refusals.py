"""What Bitable answers instead of a result: every code it may give, its name and HTTP status (FEISHU.md §5.7)."""

from __future__ import annotations

from ..reply import ApiError

NAMES = {
    1254000: "WrongRequestJson",
    1254001: "WrongRequestBody",
    1254002: "Fail",
    1254003: "WrongBaseToken",
    1254004: "WrongTableId",
    1254005: "WrongViewId",
    1254006: "WrongRecordId",
    1254007: "EmptyValue",
    1254008: "EmptyView",
    1254009: "WrongFieldId",
    1254010: "ReqConvError",
    1254011: "InvalidPageSize",
    1254012: "UnsupportedFieldType",
    1254013: "TableNameDuplicated",
    1254014: "FieldNameDuplicated",
    1254015: "Field types do not match.",
    1254016: "InvalidSort",
    1254018: "InvalidFilter",
    1254019: "InvalidViewType",
    1254020: "ViewNameDuplicated",
    1254021: "EmptyViewName",
    1254022: "InvalidViewName",
    1254024: "InvalidFieldNames",
    1254029: "InvalidFieldName",
    1254037: "Invalid client token, make sure that it complies with the specification.",
    1254040: "BaseTokenNotFound",
    1254041: "TableIdNotFound",
    1254042: "ViewIdNotFound",
    1254043: "RecordIdNotFound",
    1254044: "FieldIdNotFound",
    1254045: "FieldNameNotFound",
    1254060: "TextFieldConvFail",
    1254061: "NumberFieldConvFail",
    1254062: "SingleSelectFieldConvFail",
    1254063: "MultiSelectFieldConvFail",
    1254064: "DatetimeFieldConvFail",
    1254065: "CheckboxFieldConvFail",
    1254066: "UserFieldConvFail",
    1254067: "LinkFieldConvFail",
    1254068: "URLFieldConvFail",
    1254069: "AttachFieldConvFail",
    1254072: "Failed to convert phone field, please make sure it is correct.",
    1254074: "DuplexLinkFieldConvFail",
    1254080: "TextFieldPropertyError",
    1254081: "NumberFieldPropertyError",
    1254082: "SingleSelectFieldPropertyError",
    1254083: "MultiSelectFieldPropertyError",
    1254084: "DateFieldPropertyError",
    1254085: "CheckboxFieldPropertyError",
    1254086: "UserFieldPropertyError",
    1254087: "URLFieldPropertyError",
    1254088: "AttachFieldPropertyError",
    1254089: "LinkFieldPropertyError",
    1254090: "LookUpFieldPropertyError",
    1254091: "FormulaFieldPropertyError",
    1254092: "DuplexLinkFieldPropertyError",
    1254093: "CreatedTimeFieldPropertyError",
    1254094: "ModifiedTimeFieldPropertyError",
    1254095: "CreatedUserFieldPropertyError",
    1254096: "ModifiedUserFieldPropertyError",
    1254100: "TableExceedLimit",
    1254101: "ViewExceedLimit",
    1254103: "RecordExceedLimit",
    1254104: "RecordAddOnceExceedLimit",
    1254105: "ColumnExceedLimit",
    1254106: "AttachExceedLimit",
    1254107: "FilterLengthExceedLimit",
    1254108: "SortLengthExceedLimit",
    1254130: "TooLargeCell",
    1254291: "Write conflict",
    1254608: "Same API requests are submitted repeatedly.",
    1255006: "Client token conflict, please generate a new client token and try again.",
}

_STATUS = {1254011: 400, 1254037: 400, 1254045: 404, 1254608: 403, 1255006: 400} | dict.fromkeys(
    range(1254080, 1254097), 400
)


def refuse(code: int, culprit: str = "") -> ApiError:
    """The refusal ``code``; ``culprit`` names what was wrong in ``error.message``, e.g. ``fields.NoSuchField``."""
    error = {"message": culprit} if culprit else None
    return ApiError(code, NAMES[code], status=_STATUS.get(code, 200), error=error)
