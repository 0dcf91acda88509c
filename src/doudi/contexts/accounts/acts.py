"""What can be done in the house, and what each act is called: one section per room."""

from __future__ import annotations

from enum import StrEnum


class Act(StrEnum):
    """What can be done; each write service begins by asking for one of these."""

    LOAD_FEEDS = "load_feeds"
    VIEW_LOADS = "view_loads"
    SCREEN = "screen"
    SIMULATE = "simulate"
    VIEW_DASHBOARD = "view_dashboard"
    VIEW_HOUSEHOLDS = "view_households"
    VIEW_FINANCES = "view_finances"
    REVEAL_IDENTITY = "reveal_identity"
    VIEW_WARNINGS = "view_warnings"
    DISPATCH_WARNING = "dispatch_warning"
    RECORD_VISIT = "record_visit"
    GIVE_MEASURE = "give_measure"
    SEND_REFERRAL = "send_referral"
    VIEW_REFERRALS = "view_referrals"
    ANSWER_REFERRAL = "answer_referral"
    CLOSE_WARNING = "close_warning"
    REASSIGN_WARNING = "reassign_warning"
    SUSPEND_CLOCK = "suspend_clock"
    RECORD_REVISIT = "record_revisit"
    HAND_OVER = "hand_over"
    VIEW_OUTBOX = "view_outbox"
    VIEW_INDICATORS = "view_indicators"
    PROPOSE_THRESHOLD = "propose_threshold"
    APPROVE_THRESHOLD = "approve_threshold"
    VIEW_DOUBTS = "view_doubts"
    FIND_DOUBTS = "find_doubts"
    ASSIGN_DOUBT = "assign_doubt"
    CHECK_DOUBT = "check_doubt"
    REVIEW_DOUBT = "review_doubt"
    DECIDE_STOP = "decide_stop"
    VIEW_RECOVERY = "view_recovery"
    KEEP_RECOVERY = "keep_recovery"
    DECIDE_WRITE_OFF = "decide_write_off"
    VIEW_RECTIFICATION = "view_rectification"
    VIEW_REPORTS = "view_reports"
    TRIAGE_REPORT = "triage_report"
    CHANGE_REGISTRY = "change_registry"
    CONFIRM_CHANGE = "confirm_change"
    CHECK_DUPLICATE = "check_duplicate"
    FIND_DUPLICATES = "find_duplicates"
    VIEW_DUPLICATES = "view_duplicates"
    DECIDE_DUPLICATE = "decide_duplicate"
    EXPORT_LIST = "export_list"
    VIEW_EXPORTS = "view_exports"
    APPROVE_EXPORT = "approve_export"
    RETURN_LIST = "return_list"
    VIEW_QUALITY = "view_quality"
    VIEW_AUDIT = "view_audit"
    MANAGE_USERS = "manage_users"
    VIEW_VERIFICATION = "view_verification"
    REQUEST_VERIFICATION = "request_verification"
    COLLECT_AUTHORISATION = "collect_authorisation"
    QUERY_SOURCES = "query_sources"
    ISSUE_REPORT = "issue_report"
    TAKE_ENTRUSTED = "take_entrusted"
    HOLD_EVIDENCE = "hold_evidence"
    VIEW_SECURITY = "view_security"
    HANDLE_SECURITY = "handle_security"
    # one window and applications (一门受理)
    VIEW_APPLICATIONS = "view_applications"
    TAKE_APPLICATION = "take_application"
    REGISTER_FAMILY = "register_family"
    INVESTIGATE_APPLICATION = "investigate_application"
    VISIT_FOR_COUNTY = "visit_for_county"
    GIVE_OPINION = "give_opinion"
    DECIDE_APPLICATION = "decide_application"
    REGISTER_KIN = "register_kin"
    DRAW_SAMPLE = "draw_sample"
    SUPERVISE_TRANSFER = "supervise_transfer"
    VIEW_ENTITLEMENTS = "view_entitlements"
    VIEW_RESOURCES = "view_resources"
    KEEP_RESOURCES = "keep_resources"
    # amounts, rosters, payment (资金发放)
    VIEW_ROSTERS = "view_rosters"
    DECIDE_BENEFIT = "decide_benefit"
    COMPUTE_ROSTER = "compute_roster"
    CHECK_ROSTER = "check_roster"
    PAY_ROSTER = "pay_roster"
    PROPOSE_ACCOUNT = "propose_account"
    CONFIRM_ACCOUNT = "confirm_account"
    KEEP_BUDGET = "keep_budget"
    FOLLOW_UP = "follow_up"
    REVIEW_BENEFIT = "review_benefit"
    VIEW_CARE = "view_care"
    ORDER_CARE = "order_care"
    ASSIGN_CARE = "assign_care"
    PROVE_CARE = "prove_care"
    SETTLE_CARE = "settle_care"
    CHECK_CARE = "check_care"
    PAY_CARE = "pay_care"
    VIEW_UPWARD = "view_upward"
    REPORT_UPWARD = "report_upward"
    VIEW_WEBHOOKS = "view_webhooks"
    KEEP_WEBHOOKS = "keep_webhooks"
    # member bodies, charities, needs (慈善衔接)
    VIEW_NEEDS = "view_needs"
    RAISE_NEED = "raise_need"
    PUBLISH_NEED = "publish_need"
    MATCH_NEEDS = "match_needs"
    CLAIM_NEED = "claim_need"
    MANAGE_ORGANISATIONS = "manage_organisations"
    VIEW_PROJECTS = "view_projects"
    KEEP_PROJECTS = "keep_projects"
    VIEW_FILINGS = "view_filings"
    FILE_AID = "file_aid"
    RECEIVE_FILINGS = "receive_filings"
    VIEW_RECEIVED = "view_received"
    VIEW_MEETINGS = "view_meetings"
    HOLD_MEETING = "hold_meeting"
    REPORT_RESOLUTION = "report_resolution"
    # charity's money (慈善资金)
    VIEW_FUNDS = "view_funds"
    KEEP_FUNDS = "keep_funds"
    DECIDE_FUNDS = "decide_funds"
    PAY_FUNDS = "pay_funds"
    FILE_FUNDRAISING = "file_fundraising"
    RECORD_FUNDRAISING = "record_fundraising"
    VIEW_VENTURES = "view_ventures"
    RUN_VENTURE = "run_venture"
    APPLY_VENTURE = "apply_venture"
    SCORE_VENTURE = "score_venture"
    DECIDE_VENTURE = "decide_venture"
    PAY_VENTURE = "pay_venture"
    INCUBATE = "incubate"
    REVIEW_IDEA = "review_idea"
    SUPPORT_CHARITY = "support_charity"
    # the meal network's places, diners, orders (老年助餐)
    VIEW_SITES = "view_sites"
    MANAGE_SITES = "manage_sites"
    VIEW_DINERS = "view_diners"
    ENROL_DINER = "enrol_diner"
    CONFIRM_DINER = "confirm_diner"
    KEEP_MENU = "keep_menu"
    TAKE_ORDER = "take_order"
    SERVE_MEAL = "serve_meal"
    PLAN_DELIVERY = "plan_delivery"
    DELIVER_MEAL = "deliver_meal"
    RAISE_WARNING = "raise_warning"
    VIEW_SETTLEMENT = "view_settlement"
    MAKE_SETTLEMENT = "make_settlement"
    CHECK_SETTLEMENT = "check_settlement"
    PAY_SETTLEMENT = "pay_settlement"
    KEEP_SITE_ACCOUNT = "keep_site_account"
    # food safety, volunteers, points (食品安全与志愿服务)
    VIEW_SAFETY = "view_safety"
    KEEP_SAFETY = "keep_safety"
    SUPERVISE_SAFETY = "supervise_safety"
    STOP_MEAL = "stop_meal"
    TRACE_MEAL = "trace_meal"
    ISSUE_RATING_CODES = "issue_rating_codes"
    RECORD_RATING = "record_rating"
    VIEW_VOLUNTEERS = "view_volunteers"
    MANAGE_VOLUNTEERS = "manage_volunteers"
    SERVE_SHIFT = "serve_shift"
    CONFIRM_SERVICE = "confirm_service"
    CONFIRM_RECEIPT = "confirm_receipt"
    USE_POINTS = "use_points"
    CORRECT_POINTS = "correct_points"
    VIEW_PLANS = "view_plans"
    PLAN_SITES = "plan_sites"
    ADOPT_PLAN = "adopt_plan"
    # accounts, exports, privacy, security (安全)
    VIEW_PRIVACY = "view_privacy"
    KEEP_PRIVACY = "keep_privacy"
    RECEIVE_PRIVACY = "receive_privacy"
    DECIDE_PRIVACY = "decide_privacy"
    TELL_LOOKS = "tell_looks"


A = Act
ACT_LABELS = {
    A.LOAD_FEEDS: "装载部门数据",
    A.VIEW_LOADS: "查看数据装载",
    A.SCREEN: "筛查",
    A.SIMULATE: "测算",
    A.VIEW_DASHBOARD: "查看总览",
    A.VIEW_HOUSEHOLDS: "查看家庭",
    A.VIEW_FINANCES: "查看家庭经济状况",
    A.REVEAL_IDENTITY: "查看完整证件号",
    A.VIEW_WARNINGS: "查看预警",
    A.DISPATCH_WARNING: "派单",
    A.RECORD_VISIT: "入户核实",
    A.GIVE_MEASURE: "给予救助措施",
    A.SEND_REFERRAL: "推送部门",
    A.VIEW_REFERRALS: "查看推送",
    A.ANSWER_REFERRAL: "答复推送",
    A.CLOSE_WARNING: "办结",
    A.REASSIGN_WARNING: "改派",
    A.SUSPEND_CLOCK: "中止时限",
    A.RECORD_REVISIT: "回访",
    A.HAND_OVER: "工作交接",
    A.VIEW_OUTBOX: "查看外发消息",
    A.VIEW_INDICATORS: "查看预警指标",
    A.PROPOSE_THRESHOLD: "提交阈值调整",
    A.APPROVE_THRESHOLD: "审批阈值调整",
    A.VIEW_DOUBTS: "查看疑点",
    A.FIND_DOUBTS: "疑点筛查",
    A.ASSIGN_DOUBT: "派核疑点",
    A.CHECK_DOUBT: "核查疑点",
    A.REVIEW_DOUBT: "复核疑点",
    A.DECIDE_STOP: "决定停发",
    A.VIEW_RECOVERY: "查看追缴台账",
    A.KEEP_RECOVERY: "登记追缴台账",
    A.DECIDE_WRITE_OFF: "决定核销",
    A.VIEW_RECTIFICATION: "查看整改报告",
    A.VIEW_REPORTS: "查看群众报告",
    A.TRIAGE_REPORT: "分办群众报告",
    A.CHANGE_REGISTRY: "登记人员和家庭变动",
    A.CONFIRM_CHANGE: "确认人员和家庭变动",
    A.CHECK_DUPLICATE: "录入前查重",
    A.FIND_DUPLICATES: "批量查重",
    A.VIEW_DUPLICATES: "查看疑似重复",
    A.DECIDE_DUPLICATE: "判定疑似重复",
    A.EXPORT_LIST: "导出列表",
    A.VIEW_EXPORTS: "查看导出申请",
    A.APPROVE_EXPORT: "审批导出",
    A.RETURN_LIST: "回传表格",
    A.VIEW_QUALITY: "查看监测质量",
    A.VIEW_AUDIT: "查看审计日志",
    A.MANAGE_USERS: "管理账号",
    A.VIEW_VERIFICATION: "查看核对",
    A.REQUEST_VERIFICATION: "委托核对",
    A.COLLECT_AUTHORISATION: "收集授权",
    A.QUERY_SOURCES: "查询数据来源",
    A.ISSUE_REPORT: "出具核对报告",
    A.TAKE_ENTRUSTED: "接收异地协查",
    A.HOLD_EVIDENCE: "保全核对证据",
    A.VIEW_SECURITY: "查看安全预警",
    A.HANDLE_SECURITY: "处置安全预警",
    # one window and applications
    A.VIEW_APPLICATIONS: "查看申请",
    A.TAKE_APPLICATION: "受理申请",
    A.REGISTER_FAMILY: "窗口新立户",
    A.INVESTIGATE_APPLICATION: "入户调查",
    A.VISIT_FOR_COUNTY: "县级入户抽查",
    A.GIVE_OPINION: "初审和公示",
    A.DECIDE_APPLICATION: "审核确认",
    A.REGISTER_KIN: "近亲属备案",
    A.DRAW_SAMPLE: "县级抽查",
    A.SUPERVISE_TRANSFER: "督办转办",
    A.VIEW_ENTITLEMENTS: "查看可享政策",
    A.VIEW_RESOURCES: "查看救助资源",
    A.KEEP_RESOURCES: "维护救助资源",
    # amounts, rosters, payment
    A.VIEW_ROSTERS: "查看发放名册",
    A.DECIDE_BENEFIT: "登记待遇决定",
    A.COMPUTE_ROSTER: "计算发放名册",
    A.CHECK_ROSTER: "核对发放名册",
    A.PAY_ROSTER: "发放",
    A.PROPOSE_ACCOUNT: "登记收款账户",
    A.CONFIRM_ACCOUNT: "确认收款账户",
    A.KEEP_BUDGET: "登记预算",
    A.FOLLOW_UP: "成效随访",
    A.REVIEW_BENEFIT: "定期复查",
    A.VIEW_CARE: "查看救助服务",
    A.ORDER_CARE: "下服务单",
    A.ASSIGN_CARE: "服务派单",
    A.PROVE_CARE: "登记服务凭证",
    A.SETTLE_CARE: "编制服务结算",
    A.CHECK_CARE: "复核服务结算",
    A.PAY_CARE: "拨付服务结算",
    A.VIEW_UPWARD: "查看上报",
    A.REPORT_UPWARD: "上报和核销",
    A.VIEW_WEBHOOKS: "查看部门接口推送",
    A.KEEP_WEBHOOKS: "管理部门接口推送",
    # member bodies, charities, needs
    A.VIEW_NEEDS: "查看帮扶需求",
    A.RAISE_NEED: "登记帮扶需求",
    A.PUBLISH_NEED: "审核发布需求",
    A.MATCH_NEEDS: "供需匹配",
    A.CLAIM_NEED: "认领需求",
    A.MANAGE_ORGANISATIONS: "管理帮扶主体",
    A.VIEW_PROJECTS: "查看慈善项目",
    A.KEEP_PROJECTS: "登记慈善项目",
    A.VIEW_FILINGS: "查看帮扶备案",
    A.FILE_AID: "帮扶备案",
    A.RECEIVE_FILINGS: "收讫月结",
    A.VIEW_RECEIVED: "查看家庭所受帮扶",
    A.VIEW_MEETINGS: "查看联席会议",
    A.HOLD_MEETING: "召开联席会议",
    A.REPORT_RESOLUTION: "办理议定事项",
    # charity's money
    A.VIEW_FUNDS: "查看慈善资金",
    A.KEEP_FUNDS: "登记慈善资金",
    A.DECIDE_FUNDS: "审批慈善资金",
    A.PAY_FUNDS: "拨付慈善资金",
    A.FILE_FUNDRAISING: "报送募捐方案和信息公开",
    A.RECORD_FUNDRAISING: "募捐方案备案",
    A.VIEW_VENTURES: "查看公益创投",
    A.RUN_VENTURE: "组织公益创投",
    A.APPLY_VENTURE: "申报公益创投",
    A.SCORE_VENTURE: "评审公益创投",
    A.DECIDE_VENTURE: "决定创投资助",
    A.PAY_VENTURE: "拨付创投资助",
    A.INCUBATE: "提出孵化项目",
    A.REVIEW_IDEA: "评审孵化项目",
    A.SUPPORT_CHARITY: "登记支持激励",
    # the meal network's places, diners, orders
    A.VIEW_SITES: "查看助餐点",
    A.MANAGE_SITES: "管理助餐点",
    A.VIEW_DINERS: "查看助餐对象",
    A.ENROL_DINER: "登记助餐对象",
    A.CONFIRM_DINER: "核实助餐对象",
    A.KEEP_MENU: "编制菜单",
    A.TAKE_ORDER: "登记订餐",
    A.SERVE_MEAL: "登记就餐",
    A.PLAN_DELIVERY: "安排送餐",
    A.DELIVER_MEAL: "送餐",
    A.RAISE_WARNING: "发现险情立预警",
    A.VIEW_SETTLEMENT: "查看助餐结算",
    A.MAKE_SETTLEMENT: "编制助餐结算",
    A.CHECK_SETTLEMENT: "复核助餐结算",
    A.PAY_SETTLEMENT: "拨付助餐补贴",
    A.KEEP_SITE_ACCOUNT: "登记运营账",
    # food safety, volunteers, points
    A.VIEW_SAFETY: "查看食品安全",
    A.KEEP_SAFETY: "登记食品安全台账",
    A.SUPERVISE_SAFETY: "监管食品安全",
    A.STOP_MEAL: "暂停供餐和登记事件",
    A.TRACE_MEAL: "追溯就餐人员",
    A.ISSUE_RATING_CODES: "发放评价码",
    A.RECORD_RATING: "登记满意度",
    A.VIEW_VOLUNTEERS: "查看志愿者",
    A.MANAGE_VOLUNTEERS: "管理志愿者",
    A.SERVE_SHIFT: "志愿服务签到",
    A.CONFIRM_SERVICE: "确认志愿服务",
    A.CONFIRM_RECEIPT: "回访确认志愿服务",
    A.USE_POINTS: "使用服务积分",
    A.CORRECT_POINTS: "更正服务积分",
    A.VIEW_PLANS: "查看选址方案",
    A.PLAN_SITES: "编制选址方案",
    A.ADOPT_PLAN: "采纳选址方案",
    # accounts, exports, privacy, security
    A.VIEW_PRIVACY: "查看个人信息保护",
    A.KEEP_PRIVACY: "个人信息影响评估",
    A.RECEIVE_PRIVACY: "受理个人信息请求",
    A.DECIDE_PRIVACY: "办理个人信息请求",
    A.TELL_LOOKS: "告知本人查阅记录",
}
